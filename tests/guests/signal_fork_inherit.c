// fork inherits handlers, mask and alternate stack, but neither pending signals nor timers.
#include "guest.h"

static volatile sig_atomic_t seen;
static void handler(int signal) { seen = signal; }

int main(void) {
  signal(SIGUSR1, handler);
  sigset_t set, pending;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  SYS(sigprocmask(SIG_BLOCK, &set, NULL));
  SYS(kill(getpid(), SIGUSR2));
  struct itimerval timer = {{0, 0}, {100, 0}};
  SYS(setitimer(ITIMER_REAL, &timer, NULL));
  pid_t child = SYS(fork());
  if (child == 0) {
    SYS(sigpending(&pending));
    CHECK(!sigismember(&pending, SIGUSR2));
    SYS(sigprocmask(SIG_SETMASK, NULL, &set));
    CHECK(sigismember(&set, SIGUSR2));
    SYS(getitimer(ITIMER_REAL, &timer));
    CHECK(timer.it_value.tv_sec == 0 && timer.it_value.tv_usec == 0);
    raise(SIGUSR1);
    CHECK(seen == SIGUSR1);
    _exit(0);
  }
  CHECK(wait_exit(child) == 0);
  SYS(sigpending(&pending));
  CHECK(sigismember(&pending, SIGUSR2) && seen == 0);
  printf("child %d\n", child);
  return success();
}
