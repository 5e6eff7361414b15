// WUNTRACED and WCONTINUED: a stop and a continue are both reported.
#include "guest.h"

int main(void) {
  int go_on[2];
  char c = 0;
  SYS(pipe(go_on));
  pid_t child = SYS(fork());
  if (child == 0) {
    raise(SIGSTOP);
    _exit(read(go_on[0], &c, 1) == 1 ? 1 : 2);
  }
  int status;
  CHECK(waitpid(child, &status, WUNTRACED) == child);
  CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
  printf("stopped: %#x\n", status);
  siginfo_t info;
  SYS(kill(child, SIGCONT));
  SYS(waitid(P_PID, (id_t)child, &info, WCONTINUED));
  CHECK(info.si_code == CLD_CONTINUED && info.si_pid == child);
  CHECK(write(go_on[1], &c, 1) == 1);
  CHECK(wait_exit(child) == 1);
  printf("continued %d and exited\n", child);
  return success();
}
