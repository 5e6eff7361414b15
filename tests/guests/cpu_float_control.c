// Rounding modes and exception flags, inherited by threads and children, kept over system calls.
#include "guest.h"
#include <fenv.h>

static volatile double one = 1, three = 3;

static void* body(void* unused) {
  printf("thread rounds %d quotient %.20f\n", fegetround(), one / three);
  CHECK(fegetround() == FE_UPWARD);
  return unused;
}

int main(void) {
  double nearest = one / three;
  fesetround(FE_UPWARD);
  double up = one / three;
  sleep_ms(1);
  CHECK(fegetround() == FE_UPWARD && up > nearest);
  pthread_t thread;
  OK(pthread_create(&thread, NULL, body, NULL));
  OK(pthread_join(thread, NULL));
  pid_t child = SYS(fork());
  if (child == 0) _exit(fegetround() == FE_UPWARD ? 0 : 1);
  CHECK(wait_exit(child) == 0);
  CHECK(fetestexcept(FE_INEXACT));
  feclearexcept(FE_ALL_EXCEPT);
  volatile long double x = 2.0L;
  x = x / 7.0L;
  syscall(SYS_getppid);
  CHECK(fetestexcept(FE_INEXACT) && !fetestexcept(FE_DIVBYZERO));
  printf("%.20f %.25Lf\n", up, x);
  return success();
}
