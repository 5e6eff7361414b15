// Holes, copies, splices and sendfile into a file that is mapped change memory.
#include "guest.h"
#include <sys/sendfile.h>

int main(void) {
  enter_scratch();
  int fd = make_file("f", ""), other = make_file("other", "0123456789abcdef");
  char block[4096 * 3];
  memset(block, 'h', sizeof block);
  CHECK(write(fd, block, sizeof block) == sizeof block);
  char* map = mmap(NULL, sizeof block, PROT_READ, MAP_PRIVATE, fd, 0);
  char* shared = mmap(NULL, sizeof block, PROT_READ, MAP_SHARED, fd, 0);
  CHECK(map[4096] == 'h' && shared[0] == 'h');
  if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096, 4096) == 0)
    CHECK(map[4096] == 0 && shared[4096] == 0 && map[8192] == 'h');
  off64_t from = 4, to = 10;
  CHECK(copy_file_range(other, &from, fd, &to, 6, 0) == 6);
  CHECK(memcmp(map + 10, "456789", 6) == 0);
  SYS(lseek(fd, 50, SEEK_SET));
  off_t offset = 0;
  CHECK(sendfile(fd, other, &offset, 16) == 16);
  CHECK(memcmp(shared + 50, "0123456789abcdef", 16) == 0);
  int fds[2];
  SYS(pipe(fds));
  char text[16];
  snprintf(text, sizeof text, "pid %08d", getpid());
  CHECK(write(fds[1], text, 12) == 12);
  loff_t at = 200;
  CHECK(splice(fds[0], NULL, fd, &at, 12, 0) == 12);
  CHECK(memcmp(map + 200, text, 12) == 0);
  printf("%.12s %.16s\n", map + 200, map + 50);
  return success();
}
