// remap_file_pages, mbind and friends: rarely used calls that may be refused, but behave.
#include "guest.h"

int main(void) {
  int fd = (int)SYS(memfd_create("pages", 0));
  SYS(ftruncate(fd, 4 * 4096));
  char* map = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  CHECK(map != MAP_FAILED);
  for (int i = 0; i < 4; i++) map[i * 4096] = (char)('0' + i);
  if (remap_file_pages(map, 4096, 0, 2, 0) == 0) {
    CHECK(map[0] == '2' && map[4096] == '1');
    map[0] = 'x';
    CHECK(map[2 * 4096] == 'x');
  } else {
    printf("remap_file_pages: errno %d\n", errno);
  }
  int mode = -1;
  long policy = syscall(SYS_get_mempolicy, &mode, NULL, 0, NULL, 0);
  long key = syscall(SYS_pkey_alloc, 0, 0);
  printf("first byte %c policy %ld %d key %ld\n", map[0], policy, mode, key);
  return success();
}
