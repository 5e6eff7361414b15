// PR_SET_PDEATHSIG: the child hears of its parent's death.
#include "guest.h"
#include <sys/prctl.h>

int main(void) {
  int fds[2];
  SYS(pipe(fds));
  SYS(prctl(PR_SET_CHILD_SUBREAPER, 1));
  pid_t middle = SYS(fork());
  if (middle == 0) {
    int ready[2];
    SYS(pipe(ready));
    pid_t child = SYS(fork());
    if (child == 0) {
      sigset_t set;
      sigemptyset(&set);
      sigaddset(&set, SIGUSR2);
      sigprocmask(SIG_BLOCK, &set, NULL);
      SYS(prctl(PR_SET_PDEATHSIG, SIGUSR2));
      CHECK(write(ready[1], "r", 1) == 1);
      siginfo_t info;
      CHECK(sigwaitinfo(&set, &info) == SIGUSR2);
      pid_t report[2] = {getpid(), info.si_pid};
      CHECK(write(fds[1], report, sizeof report) == sizeof report);
      _exit(0);
    }
    char c;
    CHECK(read(ready[0], &c, 1) == 1);
    _exit(0);
  }
  CHECK(wait_exit(middle) == 0);
  pid_t report[2];
  CHECK(read(fds[0], report, sizeof report) == sizeof report);
  CHECK(report[1] == middle);
  CHECK(wait_exit(report[0]) == 0);
  printf("child %d heard that %d died\n", report[0], report[1]);
  return success();
}
