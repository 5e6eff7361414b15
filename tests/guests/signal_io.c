// SIGIO by F_SETOWN and O_ASYNC, with the descriptor in siginfo.
#include "guest.h"

static volatile int fd_seen = -1, count;

static void handler(int signal, siginfo_t* info, void* context) {
  (void)signal, (void)context;
  fd_seen = info->si_fd;
  count++;
}

int main(void) {
  struct sigaction action = {.sa_flags = SA_SIGINFO};
  action.sa_sigaction = handler;
  SYS(sigaction(SIGRTMIN + 3, &action, NULL));
  int pair[2];
  SYS(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  SYS(fcntl(pair[0], F_SETOWN, getpid()));
  SYS(fcntl(pair[0], F_SETSIG, SIGRTMIN + 3));
  SYS(fcntl(pair[0], F_SETFL, O_ASYNC | O_NONBLOCK));
  CHECK(fcntl(pair[0], F_GETOWN) == getpid());
  CHECK(write(pair[1], "x", 1) == 1);
  while (count == 0) usleep(500);
  CHECK(fd_seen == pair[0]);
  printf("signal for descriptor %d\n", fd_seen);
  return success();
}
