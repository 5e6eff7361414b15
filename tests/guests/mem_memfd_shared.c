// A memfd mapped twice, writable and executable views, shared with a child by descriptor.
#include "guest.h"

int main(void) {
  int fd = (int)SYS(memfd_create("views", 0));
  SYS(ftruncate(fd, 8192));
  unsigned char* writable = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  unsigned char* code = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 4096);
  CHECK(writable != MAP_FAILED && code != MAP_FAILED);
  memcpy(writable + 4096, "\xb8\x2a\x00\x00\x00\xc3", 6);
  CHECK(((int (*)(void))(void*)code)() == 42);
  pid_t child = SYS(fork());
  if (child == 0) {
    unsigned char* third = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 4096);
    CHECK(third != MAP_FAILED);
    third[1] = 43;
    _exit(0);
  }
  CHECK(wait_exit(child) == 0);
  CHECK(((int (*)(void))(void*)code)() == 43);
  printf("views at %p and %p\n", (void*)writable, (void*)code);
  return success();
}
