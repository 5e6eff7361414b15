// A mapped file shrinks and grows: the tail of its last page is zeroed, new pages appear.
#include "guest.h"

int main(void) {
  enter_scratch();
  int fd = make_file("f", "");
  char block[8192];
  memset(block, 'z', sizeof block);
  CHECK(write(fd, block, sizeof block) == sizeof block);
  char* shared = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  char* private = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, fd, 0);
  CHECK(shared[5000] == 'z' && private[5000] == 'z');
  SYS(ftruncate(fd, 100));
  CHECK(shared[99] == 'z' && shared[100] == 0 && private[99] == 'z' && private[100] == 0);
  SYS(ftruncate(fd, 8192));
  CHECK(shared[5000] == 0 && private[5000] == 0);
  shared[6000] = 'n';
  CHECK(private[6000] == 'n');
  int again = (int)SYS(open("f", O_RDWR | O_TRUNC));
  SYS(ftruncate(again, 4096));
  CHECK(shared[0] == 0 && private[0] == 0);
  printf("mapped at %p and %p\n", (void*)shared, (void*)private);
  return success();
}
