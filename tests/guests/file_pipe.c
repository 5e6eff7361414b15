// Pipes: capacity, non-blocking ends, end of file, FIONREAD, packet mode.
#include "guest.h"
#include <sys/ioctl.h>

int main(void) {
  int fds[2], waiting;
  SYS(pipe2(fds, O_NONBLOCK | O_CLOEXEC));
  char block[4096];
  FAILS(read(fds[0], block, 1), EAGAIN);
  memset(block, 'b', sizeof block);
  long total = 0;
  for (ssize_t n; (n = write(fds[1], block, sizeof block)) > 0;) total += n;
  CHECK(errno == EAGAIN);
  CHECK(fcntl(fds[1], F_GETPIPE_SZ) == total);
  SYS(ioctl(fds[0], FIONREAD, &waiting));
  CHECK(waiting == total);
  close(fds[1]);
  while (SYS(read(fds[0], block, sizeof block)) > 0) total -= (long)sizeof block;
  CHECK(total == 0);
  SYS(pipe2(fds, O_DIRECT));
  CHECK(write(fds[1], "one", 3) == 3 && write(fds[1], "three", 5) == 5);
  CHECK(read(fds[0], block, sizeof block) == 3 && read(fds[0], block, sizeof block) == 5);
  printf("= capacity %d\n", waiting);
  return success();
}
