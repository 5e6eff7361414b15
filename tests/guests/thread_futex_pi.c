// Priority-inheritance futexes by hand: the kernel writes the owner into the word.
#include "guest.h"
#include <linux/futex.h>

static uint32_t word;
static uint32_t owners[4];

static void* body(void* argument) {
  SYS(syscall(SYS_futex, &word, FUTEX_LOCK_PI_PRIVATE, 0, NULL));
  owners[(long)argument] = word & FUTEX_TID_MASK;
  CHECK(owners[(long)argument] == (uint32_t)syscall(SYS_gettid));
  sleep_ms(3);
  SYS(syscall(SYS_futex, &word, FUTEX_UNLOCK_PI_PRIVATE));
  return NULL;
}

int main(void) {
  SYS(syscall(SYS_futex, &word, FUTEX_LOCK_PI_PRIVATE, 0, NULL));
  CHECK((word & FUTEX_TID_MASK) == (uint32_t)getpid());
  FAILS(syscall(SYS_futex, &word, FUTEX_LOCK_PI_PRIVATE, 0, NULL), EDEADLK);
  pthread_t threads[4];
  for (long i = 0; i < 4; i++) OK(pthread_create(&threads[i], NULL, body, (void*)i));
  sleep_ms(20);
  SYS(syscall(SYS_futex, &word, FUTEX_UNLOCK_PI_PRIVATE));
  for (int i = 0; i < 4; i++) OK(pthread_join(threads[i], NULL));
  for (int i = 0; i < 4; i++) printf("owner %u\n", owners[i]);
  SYS(syscall(SYS_futex, &word, FUTEX_TRYLOCK_PI_PRIVATE));
  FAILS(syscall(SYS_futex, &owners[0], FUTEX_UNLOCK_PI_PRIVATE), EPERM);
  return success();
}
