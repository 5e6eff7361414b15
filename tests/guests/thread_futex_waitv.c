// futex_waitv: one wait on several words. Kernels without it say ENOSYS.
#include "guest.h"

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif
struct wait_entry {
  uint64_t value, address;
  uint32_t flags, reserved;
};
static uint32_t words[3];

static void* waker(void* unused) {
  sleep_ms(20);
  __atomic_store_n(&words[2], 1, __ATOMIC_SEQ_CST);
  syscall(SYS_futex, &words[2], 1 | 128, 1);
  return unused;
}

int main(void) {
  struct wait_entry entries[3];
  memset(entries, 0, sizeof entries);
  for (int i = 0; i < 3; i++) {
    entries[i].address = (uint64_t)&words[i];
    entries[i].flags = 2 | 128;  // 32 bits, private
  }
  pthread_t thread;
  OK(pthread_create(&thread, NULL, waker, NULL));
  long index = syscall(SYS_futex_waitv, entries, 3, 0, NULL, 0);
  if (index < 0) CHECK(errno == ENOSYS || errno == EAGAIN);
  else CHECK(index == 2);
  printf("futex_waitv gave %ld\n", index);
  OK(pthread_join(thread, NULL));
  return success();
}
