// A daemon: two forks, a session of its own, its work done after the parents are gone.
#include "guest.h"

int main(void) {
  int fds[2];
  SYS(pipe(fds));
  pid_t child = SYS(fork());
  if (child == 0) {
    SYS(setsid());
    if (SYS(fork()) != 0) _exit(0);
    close(fds[0]);
    SYS(chdir("/"));
    umask(0);
    int null = SYS(open("/dev/null", O_RDWR));
    SYS(dup2(null, 0));
    sleep_ms(30);
    char text[80];
    int length = snprintf(text, sizeof text, "daemon %d session %d", getpid(), getsid(0));
    CHECK(write(fds[1], text, (size_t)length) == length);
    _exit(0);
  }
  close(fds[1]);
  CHECK(wait_exit(child) == 0);
  char text[80] = "";
  SYS(read(fds[0], text, sizeof text - 1));
  printf("%s reported to %d\n", text, getpid());
  char rest;
  CHECK(read(fds[0], &rest, 1) == 0);
  return success();
}
