// statfs, fstatfs, sync calls and advice.
#include "guest.h"
#include <sys/vfs.h>

int main(void) {
  enter_scratch();
  int fd = make_file("f", "content");
  struct statfs a, b;
  SYS(statfs(".", &a));
  SYS(fstatfs(fd, &b));
  CHECK(a.f_type == b.f_type && a.f_bsize == b.f_bsize);
  SYS(fsync(fd));
  SYS(fdatasync(fd));
  SYS(sync_file_range(fd, 0, 7, SYNC_FILE_RANGE_WRITE));
  OK(posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL));
  readahead(fd, 0, 7);
  printf("type %lx free %lu of %lu\n", (unsigned long)a.f_type, (unsigned long)a.f_bfree, (unsigned long)a.f_blocks);
  return success();
}
