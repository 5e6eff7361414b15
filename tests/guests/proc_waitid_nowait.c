// waitid: WNOWAIT leaves the child waitable; siginfo is filled.
#include "guest.h"

int main(void) {
  pid_t child = SYS(fork());
  if (child == 0) _exit(17);
  siginfo_t info;
  memset(&info, 0, sizeof info);
  SYS(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT));
  CHECK(info.si_pid == child && info.si_status == 17 && info.si_code == CLD_EXITED && info.si_signo == SIGCHLD);
  memset(&info, 0, sizeof info);
  SYS(waitid(P_ALL, 0, &info, WEXITED));
  CHECK(info.si_pid == child);
  printf("child %d uid %d status %d\n", info.si_pid, info.si_uid, info.si_status);
  FAILS(waitid(P_ALL, 0, &info, WEXITED), ECHILD);
  return success();
}
