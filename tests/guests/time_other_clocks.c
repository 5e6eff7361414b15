// CPU clocks of other processes and threads; adjtimex without changes.
#include "guest.h"
#include <sys/timex.h>

int main(void) {
  pid_t child = SYS(fork());
  if (child == 0) {
    volatile unsigned work = 0;
    for (unsigned i = 0; i < 2000000; i++) work += i;
    for (;;) pause();
  }
  sleep_ms(15);
  clockid_t clock;
  struct timespec t;
  OK(clock_getcpuclockid(child, &clock));
  SYS(clock_gettime(clock, &t));
  SYS(kill(child, SIGKILL));
  CHECK(wait_exit(child) == 137);
  struct timex timex;
  memset(&timex, 0, sizeof timex);
  int state = adjtimex(&timex);
  printf("child used %ld.%09ld; clock state %d, frequency %ld\n", (long)t.tv_sec, t.tv_nsec, state, timex.freq);
  return success();
}
