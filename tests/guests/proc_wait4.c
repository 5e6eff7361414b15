// wait4: statuses, WNOHANG, resource usage, no children left.
#include "guest.h"
#include <sys/resource.h>

int main(void) {
  FAILS(wait4(-1, NULL, 0, NULL), ECHILD);
  int fds[2];
  SYS(pipe(fds));
  pid_t child = SYS(fork());
  if (child == 0) {
    char c;
    close(fds[1]);
    _exit(read(fds[0], &c, 1) == 1 ? c : 0);
  }
  int status;
  CHECK(wait4(child, &status, WNOHANG, NULL) == 0);
  CHECK(write(fds[1], "\x21", 1) == 1);
  struct rusage usage;
  CHECK(wait4(-1, &status, 0, &usage) == child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0x21);
  printf("status %#x user %ld us, %ld minor faults, peak %ld KiB\n", status, (long)usage.ru_utime.tv_usec,
         usage.ru_minflt, usage.ru_maxrss);
  FAILS(wait4(child, &status, 0, NULL), ECHILD);
  return success();
}
