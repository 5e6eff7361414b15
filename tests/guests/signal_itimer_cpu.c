// ITIMER_PROF and ITIMER_VIRTUAL arrive while the program works and makes system calls.
#include "guest.h"

static volatile sig_atomic_t profs, virtuals;
static void handler(int signal) { signal == SIGPROF ? profs++ : virtuals++; }

int main(void) {
  signal(SIGPROF, handler);
  signal(SIGVTALRM, handler);
  struct itimerval timer = {{0, 8000}, {0, 8000}}, off = {{0, 0}, {0, 0}};
  SYS(setitimer(ITIMER_PROF, &timer, NULL));
  SYS(setitimer(ITIMER_VIRTUAL, &timer, NULL));
  volatile unsigned work = 0;
  while (profs < 2 || virtuals < 1) {
    for (int i = 0; i < 20000; i++) work = work * 3 + 1;
    syscall(SYS_getppid);
  }
  SYS(setitimer(ITIMER_PROF, &off, NULL));
  SYS(setitimer(ITIMER_VIRTUAL, &off, NULL));
  printf("%d profile and %d virtual ticks, work %u\n", (int)profs, (int)virtuals, work);
  return success();
}
