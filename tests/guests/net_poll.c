// poll and ppoll: time-outs, hang-up, invalid descriptors, signal mask.
#include "guest.h"
#include <poll.h>

static volatile sig_atomic_t seen;
static void handler(int signal) { seen = signal; }

int main(void) {
  int fds[2];
  SYS(pipe(fds));
  struct pollfd p[3] = {{fds[0], POLLIN, 0}, {fds[1], POLLOUT, 0}, {999, POLLIN, 0}};
  CHECK(poll(p, 3, 10) == 2 && p[1].revents == POLLOUT && p[2].revents == POLLNVAL && p[0].revents == 0);
  p[2].fd = -5;
  CHECK(write(fds[1], "x", 1) == 1);
  CHECK(poll(p, 3, -1) == 2 && p[0].revents == POLLIN && p[2].revents == 0);
  close(fds[1]);
  CHECK(poll(p, 1, -1) == 1 && p[0].revents == (POLLIN | POLLHUP));
  signal(SIGUSR1, handler);
  sigset_t block, open;
  sigemptyset(&block);
  sigemptyset(&open);
  sigaddset(&block, SIGUSR1);
  SYS(sigprocmask(SIG_BLOCK, &block, NULL));
  SYS(kill(getpid(), SIGUSR1));
  struct timespec t = {5, 0};
  FAILS(ppoll(NULL, 0, &t, &open), EINTR);
  CHECK(seen == SIGUSR1);
  t = (struct timespec){0, 2000000};
  CHECK(ppoll(NULL, 0, &t, NULL) == 0);
  printf("fds %d %d\n", fds[0], fds[1]);
  return success();
}
