// chroot and unshare, for root; refused with EPERM for others.
#include "guest.h"
#include <sched.h>

int main(void) {
  enter_scratch();
  pid_t child = SYS(fork());
  if (child == 0) {
    SYS(mkdir("inside", 0755));
    if (chroot(".") != 0) {
      CHECK(errno == EPERM);
      printf("no chroot for uid %d\n", getuid());
      exit(0);
    }
    SYS(chdir("/"));
    struct stat s;
    SYS(stat("/inside", &s));
    FAILS(stat("/proc", &s), ENOENT);
    printf("inside is inode %lu\n", (unsigned long)s.st_ino);
    fflush(stdout);
    _exit(0);
  }
  CHECK(wait_exit(child) == 0);
  SYS(unshare(CLONE_FILES | CLONE_FS));
  int namespaces = unshare(CLONE_NEWUTS);
  CHECK(namespaces == 0 || errno == EPERM);
  if (namespaces == 0) {
    int renamed = sethostname("guest", 5);
    printf("hostname set: %d\n", renamed);
  }
  return success();
}
