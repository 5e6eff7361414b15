// A library-like life: map a file executable, run it, unmap it, map another at the same address.
#include "guest.h"

static int write_code(const char* name, unsigned char value) {
  unsigned char code[4096] = {0xb8, value, 0, 0, 0, 0xc3};
  int fd = (int)SYS(open(name, O_RDWR | O_CREAT, 0700));
  CHECK(write(fd, code, sizeof code) == sizeof code);
  return fd;
}

int main(void) {
  enter_scratch();
  int first = write_code("first", 11), second = write_code("second", 22);
  void* map = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, first, 0);
  CHECK(map != MAP_FAILED);
  int a = ((int (*)(void))map)();
  SYS(munmap(map, 4096));
  void* again = mmap(map, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, second, 0);
  CHECK(again == map);
  int b = ((int (*)(void))map)();
  CHECK(pwrite(second, "\xb8\x21", 2, 0) == 2);
  int c = ((int (*)(void))map)();
  printf("%d %d %d at %p\n", a, b, c, map);
  CHECK(a == 11 && b == 22 && c == 33);
  return success();
}
