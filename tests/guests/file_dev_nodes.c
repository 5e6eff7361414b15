// /dev/null, zero, full, random and urandom; zero also mapped.
#include "guest.h"

int main(void) {
  unsigned char bytes[32];
  memset(bytes, 1, sizeof bytes);
  int null = (int)SYS(open("/dev/null", O_RDWR)), zero = (int)SYS(open("/dev/zero", O_RDWR));
  CHECK(read(null, bytes, sizeof bytes) == 0 && write(null, bytes, 7) == 7);
  CHECK(read(zero, bytes, sizeof bytes) == sizeof bytes && bytes[31] == 0);
  int full = open("/dev/full", O_WRONLY);
  if (full >= 0) FAILS(write(full, bytes, 1), ENOSPC);
  const char* sources[] = {"/dev/urandom", "/dev/random"};
  for (int i = 0; i < 2; i++) {
    int fd = (int)SYS(open(sources[i], O_RDONLY));
    CHECK(read(fd, bytes, sizeof bytes) == sizeof bytes);
    for (size_t n = 0; n < sizeof bytes; n++) printf("%02x", bytes[n]);
    putchar('\n');
  }
  char* map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, zero, 0);
  CHECK(map != MAP_FAILED && map[5000] == 0);
  map[5000] = 'm';
  printf("zero mapped at %p\n", (void*)map);
  return success();
}
