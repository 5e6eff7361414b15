// expect: signal=8
// An integer division by zero.
#include "guest.h"

int main(void) {
  volatile int one = 1000, zero = 0;
  printf("pid %d\n", getpid());
  success();
  zero = one / zero;
  return zero;
}
