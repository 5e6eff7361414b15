// MAP_GROWSDOWN: the mapping grows when the page below it is touched.
#include "guest.h"

int main(void) {
  size_t room = 512 * 4096;
  char* reserved = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(reserved != MAP_FAILED);
  SYS(munmap(reserved, room));
  char* top = mmap(reserved + room - 4096, 4096, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED, -1, 0);
  CHECK(top == reserved + room - 4096);
  for (int i = 0; i < 16; i++) {
    volatile char* page = top - i * 4096;
    page[8] = (char)(i + 1);
  }
  unsigned sum = 0;
  for (int i = 0; i < 16; i++) sum += (unsigned)(top - i * 4096)[8];
  CHECK(sum == 136);
  printf("grew from %p\n", (void*)top);
  return success();
}
