// siglongjmp out of a handler restores the mask, many times over.
#include "guest.h"
#include <setjmp.h>

static sigjmp_buf back;
static void handler(int signal) { siglongjmp(back, signal); }

int main(void) {
  signal(SIGUSR1, handler);
  signal(SIGALRM, handler);
  volatile int rounds = 0;
  int signal = sigsetjmp(back, 1);
  if (rounds < 20) {
    rounds++;
    if (rounds % 5 == 0) {
      struct itimerval timer = {{0, 0}, {0, 3000}};
      setitimer(ITIMER_REAL, &timer, NULL);
      for (;;) pause();
    }
    raise(SIGUSR1);
  }
  sigset_t now;
  SYS(sigprocmask(SIG_SETMASK, NULL, &now));
  CHECK(!sigismember(&now, SIGUSR1) && !sigismember(&now, SIGALRM));
  printf("%d rounds, last by %d\n", rounds, signal);
  CHECK(rounds == 20);
  return success();
}
