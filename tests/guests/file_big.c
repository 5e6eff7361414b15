// Large transfers: 8 MiB written and read in one call each.
#include "guest.h"

int main(void) {
  enter_scratch();
  size_t size = 8 << 20;
  unsigned char* block = malloc(size);
  uint32_t seed = (uint32_t)getpid();
  for (size_t i = 0; i < size; i++) block[i] = (unsigned char)((seed = seed * 1664525 + 1013904223) >> 24);
  int fd = make_file("big", "");
  for (size_t done = 0; done < size;) done += (size_t)SYS(write(fd, block + done, size - done));
  unsigned char* back = malloc(size);
  SYS(lseek(fd, 0, SEEK_SET));
  for (size_t done = 0; done < size;) done += (size_t)SYS(read(fd, back + done, size - done));
  CHECK(memcmp(block, back, size) == 0);
  printf("digest of the first MiB %016lx\n", digest(back, 1 << 20));
  return success();
}
