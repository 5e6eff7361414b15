// FUTEX_WAKE_OP changes a second word in the kernel and wakes on both.
#include "guest.h"
#include <linux/futex.h>
#include <stdatomic.h>

static int first, second = 5;
static atomic_int woken_up;

static void* waiter(void* argument) {
  int* word = argument;
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, *word, NULL, NULL, 0);
  woken_up++;
  return NULL;
}

int main(void) {
  pthread_t threads[2];
  OK(pthread_create(&threads[0], NULL, waiter, &first));
  OK(pthread_create(&threads[1], NULL, waiter, &second));
  sleep_ms(30);
  int op = FUTEX_OP(FUTEX_OP_ADD, 10, FUTEX_OP_CMP_EQ, 5);
  long woken = SYS(syscall(SYS_futex, &first, FUTEX_WAKE_OP_PRIVATE, 1, 1L, &second, op));
  CHECK(second == 15);
  printf("woke %ld, second word is %d\n", woken, second);
  // A waiter may have been late, and wait for what has already happened.
  for (; woken_up < 2; sleep_ms(1)) {
    syscall(SYS_futex, &first, FUTEX_WAKE_PRIVATE, 1);
    syscall(SYS_futex, &second, FUTEX_WAKE_PRIVATE, 1);
  }
  for (int i = 0; i < 2; i++) OK(pthread_join(threads[i], NULL));
  return success();
}
