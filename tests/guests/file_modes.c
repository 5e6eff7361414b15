// chmod, fchmod, umask, access, faccessat, chown to oneself, utimensat.
#include "guest.h"

int main(void) {
  enter_scratch();
  mode_t old = umask(027);
  int fd = (int)SYS(open("f", O_CREAT | O_RDWR, 0777));
  struct stat s;
  SYS(fstat(fd, &s));
  CHECK((s.st_mode & 0777) == 0750);
  CHECK(umask(old) == 027);
  SYS(fchmod(fd, 0600));
  SYS(chmod("f", 0400));
  SYS(access("f", R_OK));
  CHECK(access("f", W_OK) == (getuid() == 0 ? 0 : -1));
  FAILS(faccessat(AT_FDCWD, "g", F_OK, 0), ENOENT);
  SYS(chown("f", getuid(), getgid()));
  struct timespec times[2] = {{1000000000, 5}, {0, UTIME_NOW}};
  SYS(utimensat(AT_FDCWD, "f", times, 0));
  SYS(stat("f", &s));
  CHECK(s.st_atim.tv_sec == 1000000000 && s.st_mtim.tv_sec > 1600000000);
  printf("modified %ld.%09ld owner %d\n", (long)s.st_mtim.tv_sec, s.st_mtim.tv_nsec, s.st_uid);
  return success();
}
