// An orphan gets a new parent: the nearest subreaper.
#include "guest.h"
#include <sys/prctl.h>

int main(void) {
  SYS(prctl(PR_SET_CHILD_SUBREAPER, 1));
  int subreaper = 0;
  SYS(prctl(PR_GET_CHILD_SUBREAPER, &subreaper));
  CHECK(subreaper == 1);
  int fds[2];
  SYS(pipe(fds));
  pid_t child = SYS(fork());
  if (child == 0) {
    pid_t middle = getpid();
    pid_t grandchild = SYS(fork());
    if (grandchild == 0) {
      while (getppid() == middle) sleep_ms(5);
      pid_t report[2] = {getpid(), getppid()};
      CHECK(write(fds[1], report, sizeof report) == sizeof report);
      _exit(23);
    }
    _exit(0);
  }
  CHECK(wait_exit(child) == 0);
  pid_t report[2];
  CHECK(read(fds[0], report, sizeof report) == sizeof report);
  CHECK(report[1] == getpid());
  CHECK(wait_exit(report[0]) == 23);
  printf("orphan %d was adopted by %d\n", report[0], report[1]);
  return success();
}
