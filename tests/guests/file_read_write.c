// open, write, lseek, read, and what the errors say.
#include "guest.h"

int main(void) {
  enter_scratch();
  int fd = (int)SYS(open("f", O_RDWR | O_CREAT | O_EXCL, 0640));
  FAILS(open("f", O_RDWR | O_CREAT | O_EXCL, 0640), EEXIST);
  char text[64];
  int length = snprintf(text, sizeof text, "process %d", getpid());
  CHECK(write(fd, text, (size_t)length) == length);
  CHECK(lseek(fd, 100, SEEK_CUR) == length + 100);
  CHECK(write(fd, "end", 3) == 3);
  CHECK(lseek(fd, 0, SEEK_END) == length + 103);
  SYS(lseek(fd, 0, SEEK_SET));
  char back[200];
  CHECK(read(fd, back, sizeof back) == length + 103);
  CHECK(memcmp(back, text, (size_t)length) == 0 && back[length] == 0 && back[length + 102] == 'd');
  CHECK(read(fd, back, 10) == 0);
  FAILS(lseek(fd, -1, SEEK_SET), EINVAL);
  FAILS(read(99, back, 1), EBADF);
  FAILS(open("missing", O_RDONLY), ENOENT);
  SYS(close(fd));
  FAILS(close(fd), EBADF);
  printf("%.20s digest %016lx\n", back, digest(back, (size_t)length));
  return success();
}
