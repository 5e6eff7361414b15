// setsid: a session and group of its own; a group leader may not.
#include "guest.h"

int main(void) {
  pid_t child = SYS(fork());
  if (child == 0) {
    pid_t session = SYS(setsid());
    CHECK(session == getpid() && getsid(0) == session && getpgrp() == session);
    FAILS(setsid(), EPERM);
    printf("child leads session %d\n", session);
    exit(0);
  }
  CHECK(wait_exit(child) == 0);
  printf("parent in session %d group %d\n", getsid(0), getpgrp());
  CHECK(getsid(0) != child);
  return success();
}
