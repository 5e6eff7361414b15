// An alarm without a handler ends a program that computes for ever.
// expect: signal=14
#include "guest.h"

static volatile uint64_t state = 1;

int main(void) {
  success();
  struct itimerval timer = {{0, 0}, {0, 20000}};
  SYS(setitimer(ITIMER_REAL, &timer, NULL));
  while (state) state = state * 3 + (state % 2 ? 2 : 1);
  return 1;
}
