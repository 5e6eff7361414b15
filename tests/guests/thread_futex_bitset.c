// FUTEX_WAIT_BITSET with absolute time-outs, and wakes by bit.
#include "guest.h"
#include <linux/futex.h>

static int word, awake[2];

static void* waiter(void* argument) {
  long bit = (long)argument;
  syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, 1u << bit);
  __atomic_store_n(&awake[bit], 1, __ATOMIC_SEQ_CST);
  return NULL;
}

int main(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  FAILS(syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, 0, &t, NULL, ~0u), ETIMEDOUT);
  clock_gettime(CLOCK_REALTIME, &t);
  FAILS(syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME, 0, &t, NULL, ~0u), ETIMEDOUT);
  pthread_t threads[2];
  for (long i = 0; i < 2; i++) OK(pthread_create(&threads[i], NULL, waiter, (void*)i));
  while (syscall(SYS_futex, &word, FUTEX_WAKE_BITSET_PRIVATE, 9, NULL, NULL, 2u) != 1) usleep(500);
  OK(pthread_join(threads[1], NULL));
  CHECK(awake[1] && !awake[0]);
  while (syscall(SYS_futex, &word, FUTEX_WAKE_BITSET_PRIVATE, 9, NULL, NULL, 1u) != 1) usleep(500);
  OK(pthread_join(threads[0], NULL));
  printf("woken by bit; clock was %ld.%09ld\n", (long)t.tv_sec, t.tv_nsec);
  return success();
}
