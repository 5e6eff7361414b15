// Blocked signals stay pending and arrive when the mask opens.
#include "guest.h"

static volatile int order[8], count;
static void handler(int signal) { order[count++] = signal; }

int main(void) {
  sigset_t set, old, pending;
  sigemptyset(&set);
  int signals[] = {SIGUSR1, SIGUSR2, SIGHUP, SIGALRM};
  for (int i = 0; i < 4; i++) {
    signal(signals[i], handler);
    sigaddset(&set, signals[i]);
  }
  SYS(sigprocmask(SIG_BLOCK, &set, &old));
  for (int i = 0; i < 4; i++) SYS(kill(getpid(), signals[i]));
  SYS(kill(getpid(), SIGUSR1));
  CHECK(count == 0);
  SYS(sigpending(&pending));
  for (int i = 0; i < 4; i++) CHECK(sigismember(&pending, signals[i]));
  SYS(sigprocmask(SIG_SETMASK, &old, NULL));
  CHECK(count == 4);
  printf("delivered %d %d %d %d\n", order[0], order[1], order[2], order[3]);
  SYS(sigpending(&pending));
  CHECK(sigisemptyset(&pending));
  return success();
}
