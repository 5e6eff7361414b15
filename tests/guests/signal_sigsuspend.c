// sigsuspend opens the mask and waits in one step.
#include "guest.h"

static volatile sig_atomic_t seen;
static void handler(int signal) { seen = signal; }

int main(void) {
  sigset_t set, open, now;
  sigemptyset(&open);
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  SYS(sigprocmask(SIG_BLOCK, &set, NULL));
  signal(SIGUSR1, handler);
  SYS(kill(getpid(), SIGUSR1));
  CHECK(seen == 0);
  FAILS(sigsuspend(&open), EINTR);
  CHECK(seen == SIGUSR1);
  seen = 0;
  pid_t child = SYS(fork());
  if (child == 0) {
    sleep_ms(10);
    kill(getppid(), SIGUSR1);
    _exit(0);
  }
  FAILS(sigsuspend(&open), EINTR);
  SYS(sigprocmask(SIG_SETMASK, NULL, &now));
  CHECK(seen == SIGUSR1 && sigismember(&now, SIGUSR1));
  CHECK(wait_exit(child) == 0);
  printf("suspended twice, child %d\n", child);
  return success();
}
