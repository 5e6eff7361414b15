// mkdir, chdir, fchdir, getcwd, openat, rmdir.
#include "guest.h"

int main(void) {
  const char* scratch = enter_scratch();
  char before[4096], inside[4096];
  CHECK(getcwd(before, sizeof before));
  SYS(mkdir("d", 0755));
  FAILS(mkdir("d", 0755), EEXIST);
  SYS(chdir("d"));
  CHECK(getcwd(inside, sizeof inside) && strcmp(inside + strlen(before), "/d") == 0);
  int up = (int)SYS(open("..", O_RDONLY | O_DIRECTORY | O_PATH));
  SYS(mkdirat(up, "e", 0700));
  int fd = (int)SYS(openat(up, "e/file", O_CREAT | O_RDWR, 0600));
  CHECK(write(fd, "x", 1) == 1);
  int back = (int)SYS(open("..", O_RDONLY));
  SYS(fchdir(back));
  FAILS(rmdir("e"), ENOTEMPTY);
  SYS(unlink("e/file"));
  SYS(rmdir("e"));
  SYS(rmdir("d"));
  FAILS(chdir("d"), ENOENT);
  CHECK(getcwd(inside, 2) == NULL && errno == ERANGE);
  printf("in %s\n", scratch);
  return success();
}
