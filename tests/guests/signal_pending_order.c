// Several pending signals at once: handlers nest in the kernel's order.
#include "guest.h"

static volatile int journal[16], length;

static void handler(int signal) {
  journal[length++] = signal;
  raise(0);
  journal[length++] = -signal;
}

int main(void) {
  sigset_t all, old;
  sigfillset(&all);
  int signals[] = {SIGTERM, SIGINT, SIGUSR2, SIGHUP};
  for (int i = 0; i < 4; i++) signal(signals[i], handler);
  SYS(sigprocmask(SIG_BLOCK, &all, &old));
  for (int i = 0; i < 4; i++) SYS(kill(getpid(), signals[i]));
  SYS(sigprocmask(SIG_SETMASK, &old, NULL));
  CHECK(length == 8);
  for (int i = 0; i < 8; i++) printf("= %d\n", journal[i]);
  return success();
}
