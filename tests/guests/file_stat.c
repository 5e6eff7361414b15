// stat, lstat, fstat, fstatat and statx tell the same, inode numbers and times included.
#include "guest.h"

int main(void) {
  enter_scratch();
  int fd = make_file("f", "12345");
  SYS(symlink("f", "link"));
  struct stat a, b, c, d;
  SYS(stat("link", &a));
  SYS(fstat(fd, &b));
  SYS(lstat("link", &c));
  SYS(fstatat(AT_FDCWD, "link", &d, AT_SYMLINK_NOFOLLOW));
  CHECK(a.st_ino == b.st_ino && c.st_ino == d.st_ino && S_ISLNK(c.st_mode) && a.st_size == 5);
  struct statx x;
  SYS(statx(AT_FDCWD, "f", 0, STATX_ALL, &x));
  CHECK(x.stx_ino == a.st_ino && x.stx_size == 5 && (x.stx_mask & STATX_SIZE));
  SYS(statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &x));
  CHECK(x.stx_mode == a.st_mode);
  printf("inode %lu device %lx mtime %ld.%09ld birth %lld\n", (unsigned long)a.st_ino, (unsigned long)a.st_dev,
         (long)a.st_mtim.tv_sec, a.st_mtim.tv_nsec, (long long)x.stx_btime.tv_sec);
  FAILS(stat("missing", &a), ENOENT);
  FAILS(stat("f/x", &a), ENOTDIR);
  return success();
}
