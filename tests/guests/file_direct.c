// O_DIRECT, where the file system has it: aligned transfers past the page cache.
#include "guest.h"

int main(void) {
  enter_scratch();
  int fd = open("f", O_RDWR | O_CREAT | O_DIRECT, 0600);
  if (fd < 0) {
    CHECK(errno == EINVAL);
    puts("no O_DIRECT here");
    return success();
  }
  char* buffer = aligned_alloc(4096, 16384);
  int pid = getpid();
  for (int i = 0; i < 16384; i++) buffer[i] = (char)(i * 13 + pid);
  uint64_t before = digest(buffer, 16384);
  CHECK(write(fd, buffer, 16384) == 16384);
  memset(buffer, 0, 16384);
  CHECK(pread(fd, buffer, 16384, 0) == 16384 && digest(buffer, 16384) == before);
  ssize_t odd = pread(fd, buffer + 1, 100, 0);
  printf("digest %016lx, unaligned read gave %zd\n", before, odd);
  free(buffer);
  return success();
}
