// With SIGCHLD ignored children leave no zombie and wait finds none.
#include "guest.h"

int main(void) {
  signal(SIGCHLD, SIG_IGN);
  pid_t child = SYS(fork());
  if (child == 0) _exit(1);
  FAILS(waitpid(child, NULL, 0), ECHILD);
  FAILS(kill(child, 0), ESRCH);
  struct sigaction action = {.sa_flags = SA_NOCLDWAIT};
  action.sa_handler = SIG_DFL;
  SYS(sigaction(SIGCHLD, &action, NULL));
  pid_t other = SYS(fork());
  if (other == 0) _exit(1);
  FAILS(wait(NULL), ECHILD);
  printf("children %d and %d reaped themselves\n", child, other);
  return success();
}
