// pidfd_getfd: a descriptor taken out of another process.
#include "guest.h"
#include <sys/prctl.h>

int main(void) {
  int ready[2], done[2];
  SYS(pipe(ready));
  SYS(pipe(done));
  pid_t child = SYS(fork());
  if (child == 0) {
    SYS(prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0) == -1 ? 0 : 0);
    int fd = SYS(memfd_create("treasure", 0));
    CHECK(write(fd, "treasure", 8) == 8);
    CHECK(write(ready[1], &fd, sizeof fd) == sizeof fd);
    char c;
    SYS(read(done[0], &c, 1));
    _exit(0);
  }
  int theirs;
  CHECK(read(ready[0], &theirs, sizeof theirs) == sizeof theirs);
  int pidfd = (int)SYS(syscall(SYS_pidfd_open, child, 0));
  long mine = syscall(SYS_pidfd_getfd, pidfd, theirs, 0);
  if (mine < 0) {
    printf("refused with errno %d\n", errno);
  } else {
    char text[9] = "";
    CHECK(pread((int)mine, text, 8, 0) == 8 && strcmp(text, "treasure") == 0);
    printf("their %d is our %ld: %s\n", theirs, mine, text);
  }
  CHECK(write(done[1], "x", 1) == 1);
  CHECK(wait_exit(child) == 0);
  return success();
}
