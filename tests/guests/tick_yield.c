// sched_yield beside a thread that spins: threads that yield get on, the spinning one too, and nobody waits for ever.
#include <sched.h>
#include "guest.h"

enum { kYields = 200 };
static volatile int left = 2, spinning;
static volatile long yields[2], spins;

static void* spin(void* argument) {
  spinning = 1;
  while (left > 0) spins++;
  return argument;
}

static void* yield(void* argument) {
  long own = (long)argument;
  while (!spinning) sched_yield();
  for (int i = 0; i < kYields; i++) {
    yields[own]++;
    sched_yield();
  }
  __atomic_fetch_sub(&left, 1, __ATOMIC_SEQ_CST);
  return NULL;
}

int main(void) {
  pthread_t threads[3];
  for (long i = 0; i < 2; i++) OK(pthread_create(&threads[i], NULL, yield, (void*)i));
  OK(pthread_create(&threads[2], NULL, spin, NULL));
  for (int i = 0; i < 3; i++) OK(pthread_join(threads[i], NULL));
  CHECK(yields[0] == kYields && yields[1] == kYields);
  printf("%ld spins\n", spins);
  return success();
}
