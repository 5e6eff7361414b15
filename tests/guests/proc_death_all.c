// Death by every signal whose default action is to end the process.
#include "guest.h"
#include <sys/resource.h>

int main(void) {
  struct rlimit none = {0, 0};
  SYS(setrlimit(RLIMIT_CORE, &none));
  int died = 0;
  for (int signal = 1; signal <= 64; signal++) {
    if (signal == SIGCHLD || signal == SIGCONT || signal == SIGURG || signal == SIGWINCH) continue;
    if (signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU) continue;
    if (signal == 32 || signal == 33) continue;
    pid_t child = SYS(fork());
    if (child == 0) {
      struct sigaction action = {.sa_flags = 0};
      action.sa_handler = SIG_DFL;
      sigaction(signal, &action, NULL);
      sigset_t none;
      sigemptyset(&none);
      sigprocmask(SIG_SETMASK, &none, NULL);
      kill(getpid(), signal);
      _exit(1);
    }
    CHECK(wait_exit(child) == 128 + signal);
    died++;
  }
  printf("%d deaths\n", died);
  CHECK(died == 54);
  return success();
}
