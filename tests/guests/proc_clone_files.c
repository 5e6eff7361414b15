// clone(CLONE_FILES | CLONE_FS): descriptors and the current directory are shared between processes.
#include "guest.h"
#include <sched.h>

static int body(void* argument) {
  int* fds = argument;
  close(fds[0]);
  return dup2(fds[1], 77) == 77 && chdir("/") == 0 ? 0 : 1;
}

int main(void) {
  int fds[2];
  static char stack[65536] __attribute__((aligned(16)));
  SYS(pipe(fds));
  SYS(chdir("/proc"));
  pid_t child = SYS(clone(body, stack + sizeof stack, CLONE_FILES | CLONE_FS | SIGCHLD, fds));
  CHECK(wait_exit(child) == 0);
  FAILS(fcntl(fds[0], F_GETFD), EBADF);
  CHECK(fcntl(77, F_GETFD) >= 0);
  char directory[64];
  CHECK(getcwd(directory, sizeof directory) && strcmp(directory, "/") == 0);
  printf("child %d closed %d, opened 77, moved us to %s\n", child, fds[0], directory);
  return success();
}
