// write(2) to a file that is mapped: shared mappings see it, and untouched private read-only ones too.
#include "guest.h"

int main(void) {
  enter_scratch();
  int fd = make_file("f", "first content of the file");
  char* shared = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
  char* private = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
  CHECK(shared != MAP_FAILED && private != MAP_FAILED);
  uint64_t before = digest(private, 25);
  char text[32];
  snprintf(text, sizeof text, "then from %06d, by write", getpid() % 1000000);
  CHECK(pwrite(fd, text, 25, 0) == 25);
  CHECK(memcmp(shared, text, 25) == 0);
  CHECK(memcmp(private, text, 25) == 0);
  printf("%.25s, before %016lx\n", private, before);
  pid_t child = SYS(fork());
  if (child == 0) {
    CHECK(pwrite(fd, "CHILD", 5, 0) == 5);
    _exit(0);
  }
  CHECK(wait_exit(child) == 0);
  CHECK(memcmp(private, "CHILD", 5) == 0 && memcmp(shared, "CHILD", 5) == 0);
  return success();
}
