// Two processes exchange messages through shared memory alone, yielding while they wait.
#include "guest.h"
#include <sched.h>

int main(void) {
  volatile uint32_t* s = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(s != MAP_FAILED);
  pid_t child = SYS(fork());
  uint32_t me = child == 0, sum = (uint32_t)getpid();
  for (uint32_t i = 0; i < 60; i++) {
    while (__atomic_load_n(&s[0], __ATOMIC_ACQUIRE) % 2 != me) sched_yield();
    sum = s[1] = s[1] * 33 + sum + i;
    __atomic_store_n(&s[0], s[0] + 1, __ATOMIC_RELEASE);
  }
  if (child == 0) _exit((int)(sum & 63));
  int theirs = wait_exit(child);
  printf("last %u child ended with %d\n", s[1], theirs);
  CHECK((uint32_t)theirs == (s[1] & 63));
  return success();
}
