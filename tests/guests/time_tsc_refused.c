// PR_SET_TSC by the program itself: rdtsc then faults, and works again when allowed.
#include "guest.h"
#include <setjmp.h>
#include <sys/prctl.h>
#include <x86intrin.h>

static sigjmp_buf back;
static void handler(int signal) { siglongjmp(back, signal); }

int main(void) {
  int state = 0;
  signal(SIGSEGV, handler);
  SYS(prctl(PR_GET_TSC, &state));
  CHECK(state == PR_TSC_ENABLE);
  SYS(prctl(PR_SET_TSC, PR_TSC_SIGSEGV));
  int signal = sigsetjmp(back, 1);
  if (signal == 0) {
    __rdtsc();
    return 1;
  }
  SYS(prctl(PR_GET_TSC, &state));
  CHECK(state == PR_TSC_SIGSEGV);
  SYS(prctl(PR_SET_TSC, PR_TSC_ENABLE));
  printf("signal %d, then tsc %lu\n", signal, (uint64_t)__rdtsc());
  CHECK(signal == SIGSEGV);
  return success();
}
