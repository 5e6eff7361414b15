// A spin lock of `cmpxchg` that four threads contend for, and counters by every kind of atomic instruction.
#include "guest.h"

enum { kThreads = 4, kRounds = 1000000 };
static int lock;
static long guarded, added, exchanged, waits[kThreads];
static volatile int ready;

static void* body(void* argument) {
  long own = (long)argument;
  __atomic_fetch_add(&ready, 1, __ATOMIC_SEQ_CST);
  while (ready != kThreads) continue;
  for (int i = 0; i < kRounds; i++) {
    int expected = 0;
    while (!__atomic_compare_exchange_n(&lock, &expected, 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
      expected = 0;
      waits[own]++;
    }
    long old = guarded;
    if (i % 7 == 0) __asm__ volatile("pause");
    guarded = old + 1;
    __atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
    __atomic_fetch_add(&added, 1, __ATOMIC_RELAXED);
    long seen = exchanged;
    while (!__atomic_compare_exchange_n(&exchanged, &seen, seen + 1, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) continue;
  }
  return NULL;
}

int main(void) {
  pthread_t threads[kThreads];
  for (long i = 0; i < kThreads; i++) OK(pthread_create(&threads[i], NULL, body, (void*)i));
  for (int i = 0; i < kThreads; i++) OK(pthread_join(threads[i], NULL));
  CHECK(guarded == kThreads * kRounds && added == guarded && exchanged == guarded);
  printf("waits %ld %ld %ld %ld\n", waits[0], waits[1], waits[2], waits[3]);
  return success();
}
