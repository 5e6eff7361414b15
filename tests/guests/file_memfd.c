// memfd_create, seals, and the file reopened through /proc.
#include "guest.h"

int main(void) {
  int fd = (int)SYS(memfd_create("name", MFD_ALLOW_SEALING | MFD_CLOEXEC));
  SYS(ftruncate(fd, 100));
  CHECK(pwrite(fd, "sealed", 6, 0) == 6);
  SYS(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW));
  FAILS(ftruncate(fd, 50), EPERM);
  FAILS(ftruncate(fd, 200), EPERM);
  SYS(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
  FAILS(pwrite(fd, "x", 1, 0), EPERM);
  CHECK(fcntl(fd, F_GET_SEALS) == (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE));
  char path[64], text[7] = "";
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  int again = (int)SYS(open(path, O_RDONLY));
  CHECK(read(again, text, 6) == 6 && strcmp(text, "sealed") == 0);
  struct stat s;
  SYS(fstat(again, &s));
  printf("inode %lu\n", (unsigned long)s.st_ino);
  return success();
}
