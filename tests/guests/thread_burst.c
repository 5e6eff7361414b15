// Many short threads in bursts, joined and detached.
#include "guest.h"

static int done;

static void* body(void* argument) {
  char* block = malloc(1000 + (size_t)(long)argument);
  memset(block, 1, 1000);
  free(block);
  __atomic_fetch_add(&done, 1, __ATOMIC_SEQ_CST);
  return argument;
}

int main(void) {
  for (int burst = 0; burst < 6; burst++) {
    pthread_t threads[12];
    for (long i = 0; i < 12; i++) {
      OK(pthread_create(&threads[i], NULL, body, (void*)i));
      if (i % 3 == 0) OK(pthread_detach(threads[i]));
    }
    for (int i = 0; i < 12; i++)
      if (i % 3) OK(pthread_join(threads[i], NULL));
  }
  while (__atomic_load_n(&done, __ATOMIC_SEQ_CST) < 72) usleep(500);
  printf("%d threads\n", done);
  return success();
}
