// setitimer in real time, repeated; getitimer; alarm.
#include "guest.h"

static volatile sig_atomic_t ticks;
static void handler(int signal) { ticks += signal == SIGALRM; }

int main(void) {
  signal(SIGALRM, handler);
  struct itimerval timer = {{0, 5000}, {0, 5000}}, old;
  SYS(setitimer(ITIMER_REAL, &timer, NULL));
  while (ticks < 5) pause();
  SYS(getitimer(ITIMER_REAL, &old));
  CHECK(old.it_interval.tv_usec == 5000);
  timer = (struct itimerval){{0, 0}, {0, 0}};
  SYS(setitimer(ITIMER_REAL, &timer, &old));
  printf("%d ticks, %ld us left\n", (int)ticks, (long)old.it_value.tv_usec);
  CHECK(alarm(100) == 0);
  unsigned left = alarm(0);
  CHECK(left == 100 || left == 99);
  return success();
}
