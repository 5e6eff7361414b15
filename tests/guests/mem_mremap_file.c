// mremap of a file mapping beyond what it first covered.
#include "guest.h"

int main(void) {
  enter_scratch();
  int fd = make_file("f", "");
  for (int i = 0; i < 8; i++) {
    char block[4096];
    memset(block, 'A' + i, sizeof block);
    CHECK(write(fd, block, sizeof block) == sizeof block);
  }
  char* private = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  char* shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 4096);
  close(fd);
  private[1] = 'x';
  private = mremap(private, 4096, 5 * 4096, MREMAP_MAYMOVE);
  shared = mremap(shared, 4096, 6 * 4096, MREMAP_MAYMOVE);
  CHECK(private != MAP_FAILED && shared != MAP_FAILED);
  CHECK(private[1] == 'x' && private[4 * 4096] == 'E' && shared[0] == 'B' && shared[5 * 4096] == 'G');
  shared[2 * 4096] = '!';
  CHECK(private[3 * 4096] == '!');
  printf("%p %p\n", (void*)private, (void*)shared);
  return success();
}
