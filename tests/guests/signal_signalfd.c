// signalfd: signals as data, with poll.
#include "guest.h"
#include <poll.h>
#include <sys/signalfd.h>

int main(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigaddset(&set, SIGCHLD);
  SYS(sigprocmask(SIG_BLOCK, &set, NULL));
  int fd = (int)SYS(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  struct signalfd_siginfo info[4];
  FAILS(read(fd, info, sizeof info), EAGAIN);
  SYS(sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 99}));
  struct pollfd p = {fd, POLLIN, 0};
  CHECK(poll(&p, 1, 1000) == 1);
  CHECK(read(fd, info, sizeof info) == sizeof info[0]);
  CHECK(info[0].ssi_signo == SIGUSR1 && info[0].ssi_int == 99 && info[0].ssi_pid == (uint32_t)getpid());
  pid_t child = SYS(fork());
  if (child == 0) _exit(3);
  CHECK(poll(&p, 1, 2000) == 1);
  CHECK(read(fd, info, sizeof info) == sizeof info[0]);
  CHECK(info[0].ssi_signo == SIGCHLD && info[0].ssi_pid == (uint32_t)child && info[0].ssi_status == 3);
  printf("child %u uid %u utime %lu\n", info[0].ssi_pid, info[0].ssi_uid, (unsigned long)info[0].ssi_utime);
  CHECK(wait_exit(child) == 3);
  return success();
}
