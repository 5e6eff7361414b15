// FUTEX_CMP_REQUEUE moves waiters from one word to another.
#include "guest.h"
#include <linux/futex.h>

static int from, to, awake;

static void* waiter(void* unused) {
  syscall(SYS_futex, &from, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
  __atomic_fetch_add(&awake, 1, __ATOMIC_SEQ_CST);
  return unused;
}

int main(void) {
  FAILS(syscall(SYS_futex, &from, FUTEX_CMP_REQUEUE_PRIVATE, 1, 5L, &to, 7), EAGAIN);
  pthread_t threads[4];
  for (int i = 0; i < 4; i++) OK(pthread_create(&threads[i], NULL, waiter, NULL));
  long moved = 0;
  for (int i = 0; i < 1000 && moved < 4; i++) {
    usleep(1000);
    moved += SYS(syscall(SYS_futex, &from, FUTEX_CMP_REQUEUE_PRIVATE, 0, 5L, &to, 0));
  }
  CHECK(moved == 4 && awake == 0);
  CHECK(syscall(SYS_futex, &from, FUTEX_WAKE_PRIVATE, 9) == 0);
  CHECK(syscall(SYS_futex, &to, FUTEX_WAKE_PRIVATE, 9) == 4);
  for (int i = 0; i < 4; i++) OK(pthread_join(threads[i], NULL));
  printf("%ld moved from %p to %p\n", moved, (void*)&from, (void*)&to);
  CHECK(awake == 4);
  return success();
}
