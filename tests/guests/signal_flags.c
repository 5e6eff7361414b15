// SA_RESETHAND, and the disposition that sigaction reports.
#include "guest.h"

static volatile int count;
static void handler(int signal) { count += signal; }

int main(void) {
  struct sigaction action = {.sa_flags = SA_RESETHAND | SA_NODEFER}, now;
  action.sa_handler = handler;
  SYS(sigaction(SIGUSR1, &action, NULL));
  SYS(sigaction(SIGUSR1, NULL, &now));
  CHECK(now.sa_handler == handler && (now.sa_flags & SA_RESETHAND));
  raise(SIGUSR1);
  SYS(sigaction(SIGUSR1, NULL, &now));
  CHECK(now.sa_handler == SIG_DFL && count == SIGUSR1);
  FAILS(sigaction(SIGKILL, &action, NULL), EINVAL);
  pid_t child = SYS(fork());
  if (child == 0) {
    raise(SIGUSR1);
    _exit(0);
  }
  CHECK(wait_exit(child) == 128 + SIGUSR1);
  printf("child %d died of the second\n", child);
  return success();
}
