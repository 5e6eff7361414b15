// FUTEX_WAIT and FUTEX_WAKE by hand: mismatch, time-out, wake-up counts.
#include "guest.h"
#include <linux/futex.h>

static int word;

static long futex(int op, int value, const struct timespec* timeout) {
  return syscall(SYS_futex, &word, op, value, timeout, NULL, 0);
}

static void* waiter(void* unused) {
  while (__atomic_load_n(&word, __ATOMIC_SEQ_CST) == 0) futex(FUTEX_WAIT_PRIVATE, 0, NULL);
  return unused;
}

int main(void) {
  FAILS(futex(FUTEX_WAIT, 1, NULL), EAGAIN);
  struct timespec ten_ms = {0, 10000000};
  FAILS(futex(FUTEX_WAIT, 0, &ten_ms), ETIMEDOUT);
  pthread_t threads[3];
  for (int i = 0; i < 3; i++) OK(pthread_create(&threads[i], NULL, waiter, NULL));
  sleep_ms(20);
  __atomic_store_n(&word, 1, __ATOMIC_SEQ_CST);
  long woken = futex(FUTEX_WAKE_PRIVATE, 1, NULL);
  woken += futex(FUTEX_WAKE_PRIVATE, 100, NULL);
  for (int i = 0; i < 3; i++) OK(pthread_join(threads[i], NULL));
  printf("woke %ld on %p\n", woken, (void*)&word);
  CHECK(woken >= 0 && woken <= 3);
  return success();
}
