// Process, user and group ids; the calls that set them to what they are.
#include "guest.h"
#include <grp.h>

int main(void) {
  uid_t r, e, s;
  gid_t rg, eg, sg;
  SYS(getresuid(&r, &e, &s));
  SYS(getresgid(&rg, &eg, &sg));
  CHECK(r == getuid() && e == geteuid() && rg == getgid() && eg == getegid());
  printf("= uid %d %d %d gid %d %d %d\n", r, e, s, rg, eg, sg);
  gid_t groups[64];
  int count = (int)SYS(getgroups(64, groups));
  printf("= %d groups\n", count);
  CHECK(syscall(SYS_gettid) == getpid());
  SYS(setresuid(r, e, s));
  SYS(setresgid(rg, eg, sg));
  printf("pid %d ppid %d group %d session %d\n", getpid(), getppid(), getpgrp(), getsid(0));
  if (r == 0) {
    pid_t child = SYS(fork());
    if (child == 0) {
      SYS(setgroups(0, NULL));
      SYS(setresgid(65534, 65534, 65534));
      SYS(setresuid(65534, 65534, 65534));
      FAILS(setuid(0), EPERM);
      printf("dropped to %d\n", getuid());
      exit(0);
    }
    CHECK(wait_exit(child) == 0);
  } else {
    FAILS(setuid(0), EPERM);
  }
  return success();
}
