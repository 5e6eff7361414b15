// pidfd_open, pidfd_send_signal, poll and waitid on a pidfd.
#include "guest.h"
#include <poll.h>

int main(void) {
  pid_t child = SYS(fork());
  if (child == 0) {
    for (;;) pause();
  }
  int fd = (int)SYS(syscall(SYS_pidfd_open, child, 0));
  struct pollfd p = {fd, POLLIN, 0};
  CHECK(poll(&p, 1, 0) == 0);
  SYS(syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0));
  CHECK(poll(&p, 1, 1000) == 1);
  siginfo_t info;
  SYS(waitid((idtype_t)3 /* P_PIDFD */, (id_t)fd, &info, WEXITED));
  CHECK(info.si_pid == child && info.si_code == CLD_KILLED && info.si_status == SIGTERM);
  printf("pidfd %d: child %d killed by %d\n", fd, info.si_pid, info.si_status);
  FAILS(syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0), ESRCH);
  return success();
}
