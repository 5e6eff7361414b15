// A SIGCHLD handler that reaps whatever has ended.
#include "guest.h"

static volatile int reaped, sum, calls;

static void handler(int signal) {
  int status, error = errno;
  (void)signal;
  calls++;
  while (waitpid(-1, &status, WNOHANG) > 0) {
    reaped++;
    sum += WEXITSTATUS(status);
  }
  errno = error;
}

int main(void) {
  struct sigaction action = {.sa_flags = SA_RESTART | SA_NOCLDSTOP};
  action.sa_handler = handler;
  SYS(sigaction(SIGCHLD, &action, NULL));
  for (int i = 1; i <= 12; i++) {
    pid_t child = SYS(fork());
    if (child == 0) {
      usleep((unsigned)(i * 700 % 4000));
      _exit(i);
    }
  }
  while (reaped < 12) usleep(2000);
  printf("reaped %d in %d calls\n", reaped, calls);
  CHECK(sum == 78);
  return success();
}
