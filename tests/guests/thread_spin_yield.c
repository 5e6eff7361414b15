// A hand-written lock that yields while it waits.
#include "guest.h"
#include <sched.h>

static int lock;
static long counter, yields;

static void* body(void* argument) {
  for (int i = 0; i < 150; i++) {
    while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE)) {
      __atomic_fetch_add(&yields, 1, __ATOMIC_RELAXED);
      sched_yield();
    }
    long old = counter;
    if (i % 5 == 0) sched_yield();
    counter = old + 1;
    __atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
  }
  return argument;
}

int main(void) {
  pthread_t threads[3];
  for (int i = 0; i < 3; i++) OK(pthread_create(&threads[i], NULL, body, NULL));
  for (int i = 0; i < 3; i++) OK(pthread_join(threads[i], NULL));
  printf("counter %ld after %ld yields\n", counter, yields);
  CHECK(counter == 450);
  return success();
}
