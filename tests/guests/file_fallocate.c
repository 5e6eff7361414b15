// fallocate: allocation, holes, zeroing; lseek finds data and holes.
#include "guest.h"

int main(void) {
  enter_scratch();
  int fd = make_file("f", "");
  char block[4096];
  memset(block, 'q', sizeof block);
  for (int i = 0; i < 8; i++) CHECK(write(fd, block, sizeof block) == sizeof block);
  int error = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 8192, 8192);
  if (error == 0) {
    CHECK(pread(fd, block, 4096, 8192) == 4096 && block[0] == 0 && block[4095] == 0);
    printf("hole at %ld, data after at %ld\n", (long)lseek(fd, 0, SEEK_HOLE), (long)lseek(fd, 8192, SEEK_DATA));
  } else {
    CHECK(errno == EOPNOTSUPP);
    puts("no holes here");
  }
  if (fallocate(fd, FALLOC_FL_ZERO_RANGE, 0, 4096) == 0) {
    CHECK(pread(fd, block, 1, 0) == 1 && block[0] == 0);
  }
  OK(posix_fallocate(fd, 0, 65536));
  struct stat s;
  SYS(fstat(fd, &s));
  CHECK(s.st_size == 65536);
  printf("blocks %ld\n", (long)s.st_blocks);
  return success();
}
