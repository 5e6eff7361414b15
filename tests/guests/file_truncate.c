// ftruncate and truncate, both ways.
#include "guest.h"

int main(void) {
  enter_scratch();
  int fd = make_file("f", "0123456789");
  SYS(ftruncate(fd, 4));
  char text[20] = "";
  CHECK(read(fd, text, sizeof text) == 4);
  SYS(truncate("f", 8));
  CHECK(read(fd, text, sizeof text) == 4 && text[0] == 0);
  FAILS(truncate("f", -1), EINVAL);
  FAILS(truncate("missing", 1), ENOENT);
  int again = (int)SYS(open("f", O_RDWR | O_TRUNC));
  CHECK(read(again, text, 1) == 0);
  printf("fds %d %d\n", fd, again);
  return success();
}
