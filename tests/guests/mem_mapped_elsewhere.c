// A file that only another process has mapped changes by our write: that process sees it.
#include "guest.h"

int main(void) {
  enter_scratch();
  int fd = make_file("f", "before, unmapped by the parent"), there[2], back[2];
  SYS(pipe(there));
  SYS(pipe(back));
  pid_t child = SYS(fork());
  if (child == 0) {
    char* map = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
    CHECK(map != MAP_FAILED && map[0] == 'b');
    CHECK(write(back[1], "r", 1) == 1);
    char c;
    CHECK(read(there[0], &c, 1) == 1);
    printf("child sees %.12s\n", map);
    _exit(memcmp(map, "after ", 6) == 0 ? 0 : 1);
  }
  char c, text[20];
  CHECK(read(back[0], &c, 1) == 1);
  snprintf(text, sizeof text, "after %06d", getpid() % 1000000);
  CHECK(pwrite(fd, text, 12, 0) == 12);
  CHECK(write(there[1], "g", 1) == 1);
  CHECK(wait_exit(child) == 0);
  return success();
}
