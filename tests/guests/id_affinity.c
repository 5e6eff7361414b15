// sched_getaffinity shows what the program would see without tmrec, and settings of its own stick.
#include "guest.h"
#include <sched.h>

int main(void) {
  cpu_set_t set;
  SYS(sched_getaffinity(0, sizeof set, &set));
  printf("= %d processors:", CPU_COUNT(&set));
  int first = -1;
  for (int i = 0; i < CPU_SETSIZE; i++)
    if (CPU_ISSET(i, &set)) {
      printf(" %d", i);
      if (first < 0) first = i;
    }
  putchar('\n');
  CPU_ZERO(&set);
  CPU_SET(first, &set);
  SYS(sched_setaffinity(0, sizeof set, &set));
  cpu_set_t now;
  SYS(sched_getaffinity(0, sizeof now, &now));
  CHECK(CPU_COUNT(&now) == 1 && CPU_ISSET(first, &now));
  pid_t child = SYS(fork());
  if (child == 0) {
    SYS(sched_getaffinity(0, sizeof now, &now));
    _exit(CPU_COUNT(&now));
  }
  CHECK(wait_exit(child) == 1);
  CPU_ZERO(&set);
  FAILS(sched_setaffinity(0, sizeof set, &set), EINVAL);
  return success();
}
