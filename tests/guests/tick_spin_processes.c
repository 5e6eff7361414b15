// Processes that spin on shared memory, parent and child by turns, and never sleep.
#include "guest.h"

int main(void) {
  volatile long* turn = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(turn != MAP_FAILED);
  pid_t child = SYS(fork());
  long spins = 0;
  for (long i = child ? 0 : 1; i < 30; i += 2) {
    while (*turn != i) spins++;
    *turn = i + 1;
  }
  if (!child) _exit(spins >= 0 ? 7 : 0);
  while (*turn != 30) spins++;
  CHECK(wait_exit(child) == 7);
  printf("%ld spins in the parent\n", spins);
  return success();
}
