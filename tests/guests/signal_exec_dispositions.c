// exec keeps ignored signals, blocked ones and pending ones, and resets handlers.
#include "guest.h"

static void handler(int signal) { (void)signal; }

int main(int argc, char** argv) {
  sigset_t set;
  if (argc > 1) {
    struct sigaction action;
    SYS(sigaction(SIGUSR1, NULL, &action));
    CHECK(action.sa_handler == SIG_IGN);
    SYS(sigaction(SIGUSR2, NULL, &action));
    CHECK(action.sa_handler == SIG_DFL);
    SYS(sigprocmask(SIG_SETMASK, NULL, &set));
    CHECK(sigismember(&set, SIGHUP));
    SYS(sigpending(&set));
    CHECK(sigismember(&set, SIGHUP));
    printf("pid %d has SIGHUP pending\n", getpid());
    return success();
  }
  signal(SIGUSR1, SIG_IGN);
  signal(SIGUSR2, handler);
  sigemptyset(&set);
  sigaddset(&set, SIGHUP);
  SYS(sigprocmask(SIG_BLOCK, &set, NULL));
  SYS(kill(getpid(), SIGHUP));
  execl("/proc/self/exe", argv[0], "again", (char*)NULL);
  return 1;
}
