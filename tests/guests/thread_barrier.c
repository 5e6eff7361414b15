// A barrier lets exactly one thread a round be the serial one.
#include "guest.h"

static pthread_barrier_t barrier;
static int serial[4];

static void* body(void* argument) {
  for (int round = 0; round < 20; round++) {
    if (round % 5 == (int)(long)argument) usleep(500);
    int result = pthread_barrier_wait(&barrier);
    if (result == PTHREAD_BARRIER_SERIAL_THREAD) serial[(long)argument]++;
    else CHECK(result == 0);
  }
  return NULL;
}

int main(void) {
  pthread_t threads[4];
  OK(pthread_barrier_init(&barrier, NULL, 4));
  for (long i = 0; i < 4; i++) OK(pthread_create(&threads[i], NULL, body, (void*)i));
  for (int i = 0; i < 4; i++) OK(pthread_join(threads[i], NULL));
  OK(pthread_barrier_destroy(&barrier));
  printf("serial: %d %d %d %d\n", serial[0], serial[1], serial[2], serial[3]);
  CHECK(serial[0] + serial[1] + serial[2] + serial[3] == 20);
  return success();
}
