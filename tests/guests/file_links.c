// link, symlink, readlink, rename, renameat2, unlink, unlinkat.
#include "guest.h"

int main(void) {
  enter_scratch();
  close(make_file("a", "A"));
  close(make_file("b", "B"));
  SYS(link("a", "hard"));
  SYS(symlink("a", "soft"));
  char text[64] = "";
  CHECK(readlink("soft", text, sizeof text) == 1 && text[0] == 'a');
  FAILS(readlink("a", text, sizeof text), EINVAL);
  struct stat s;
  SYS(stat("hard", &s));
  CHECK(s.st_nlink == 2);
  SYS(rename("hard", "moved"));
  if (renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_EXCHANGE) == 0) {
    int fd = (int)SYS(open("soft", O_RDONLY));
    CHECK(read(fd, text, 1) == 1 && text[0] == 'B');
  }
  FAILS(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_NOREPLACE), EEXIST);
  SYS(unlink("soft"));
  SYS(unlinkat(AT_FDCWD, "moved", 0));
  FAILS(unlink("moved"), ENOENT);
  FAILS(unlinkat(AT_FDCWD, "a", AT_REMOVEDIR), ENOTDIR);
  printf("inode %lu\n", (unsigned long)s.st_ino);
  return success();
}
