// dup, dup2, dup3, F_DUPFD: one offset for all; close-on-exec flags; close_range.
#include "guest.h"

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

int main(void) {
  enter_scratch();
  int fd = make_file("f", "abcdefgh");
  int a = (int)SYS(dup(fd)), b = (int)SYS(dup2(fd, 40)), c = (int)SYS(dup3(fd, 41, O_CLOEXEC));
  int d = (int)SYS(fcntl(fd, F_DUPFD, 60));
  CHECK(b == 40 && c == 41 && d >= 60);
  char text[9] = "";
  CHECK(read(a, text, 2) == 2 && read(b, text + 2, 2) == 2 && read(c, text + 4, 2) == 2 && read(d, text + 6, 2) == 2);
  CHECK(strcmp(text, "abcdefgh") == 0);
  CHECK(fcntl(c, F_GETFD) == FD_CLOEXEC && fcntl(b, F_GETFD) == 0);
  CHECK((fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR);
  FAILS(dup2(99, 5), EBADF);
  FAILS(dup3(fd, fd, 0), EINVAL);
  if (syscall(SYS_close_range, 40, 100, 0) == 0) FAILS(fcntl(b, F_GETFD), EBADF);
  printf("%d %d %d %d %d\n", fd, a, b, c, d);
  return success();
}
