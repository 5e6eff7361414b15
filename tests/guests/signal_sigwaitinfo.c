// sigwaitinfo and sigtimedwait: values, order, time-out.
#include "guest.h"

int main(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN + 1);
  sigaddset(&set, SIGRTMIN + 2);
  sigaddset(&set, SIGUSR1);
  SYS(sigprocmask(SIG_BLOCK, &set, NULL));
  SYS(sigqueue(getpid(), SIGRTMIN + 2, (union sigval){.sival_int = 5}));
  SYS(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 6}));
  SYS(kill(getpid(), SIGUSR1));
  siginfo_t info;
  CHECK(sigwaitinfo(&set, &info) == SIGUSR1);
  CHECK(sigwaitinfo(&set, &info) == SIGRTMIN + 1 && info.si_value.sival_int == 6);
  CHECK(sigwaitinfo(&set, &info) == SIGRTMIN + 2 && info.si_value.sival_int == 5);
  struct timespec t = {0, 10000000};
  FAILS(sigtimedwait(&set, &info, &t), EAGAIN);
  pid_t child = SYS(fork());
  if (child == 0) {
    sleep_ms(15);
    kill(getppid(), SIGUSR1);
    _exit(0);
  }
  t.tv_sec = 5;
  CHECK(sigtimedwait(&set, &info, &t) == SIGUSR1 && info.si_pid == child);
  CHECK(wait_exit(child) == 0);
  int signal;
  SYS(kill(getpid(), SIGUSR1));
  CHECK(sigwait(&set, &signal) == 0 && signal == SIGUSR1);
  printf("from %d to %d\n", child, getpid());
  return success();
}
