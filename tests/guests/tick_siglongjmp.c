// siglongjmp out of an alarm's handler, from wherever a computation happens to be; the alternate stack as well.
#include <setjmp.h>
#include "tick.h"

static sigjmp_buf out;
static volatile int left;
static volatile uint64_t state = 1;

static void on_alarm(int signal) {
  left++;
  siglongjmp(out, signal);
}

__attribute__((noinline)) static void compute(int depth) {
  if (depth > 0) compute(depth - 1);
  while (left <= 100) {
    for (int i = 0; i < 1000; i++) state = state * 6364136223846793005ul + (uint64_t)depth;
  }
}

static void rounds(int flags) {
  struct sigaction action = {.sa_handler = on_alarm, .sa_flags = flags};
  SYS(sigaction(SIGALRM, &action, NULL));
  struct itimerval timer = {{0, 0}, {0, 1000}};
  for (volatile int i = 0; i < 10; i++) {
    if (sigsetjmp(out, 1) == 0) {
      SYS(setitimer(ITIMER_REAL, &timer, NULL));
      compute(i);
    }
    sigset_t mask;
    SYS(sigprocmask(SIG_SETMASK, NULL, &mask));
    CHECK(!sigismember(&mask, SIGALRM));
    printf("state %lx\n", state);
  }
}

int main(void) {
  rounds(0);
  stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536};
  SYS(sigaltstack(&stack, NULL));
  rounds(SA_ONSTACK);
  CHECK(left == 20);
  return success();
}
