// expect: signal=13
// A write to a pipe that nobody reads.
#include "guest.h"

int main(void) {
  int fds[2];
  SYS(pipe(fds));
  signal(SIGPIPE, SIG_DFL);
  close(fds[0]);
  printf("writing to %d\n", fds[1]);
  success();
  return write(fds[1], "x", 1) < 0 ? 1 : 2;
}
