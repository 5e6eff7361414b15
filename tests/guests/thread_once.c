// pthread_once under contention: one run, all wait for its end.
#include "guest.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int runs, ready;

static void initialise(void) {
  runs++;
  sleep_ms(15);
  ready = getpid();
}

static void* body(void* unused) {
  OK(pthread_once(&once, initialise));
  CHECK(ready == getpid());
  return unused;
}

int main(void) {
  pthread_t threads[5];
  for (int i = 0; i < 5; i++) OK(pthread_create(&threads[i], NULL, body, NULL));
  for (int i = 0; i < 5; i++) OK(pthread_join(threads[i], NULL));
  printf("runs %d ready %d\n", runs, ready);
  CHECK(runs == 1);
  return success();
}
