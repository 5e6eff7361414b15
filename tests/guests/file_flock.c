// flock between processes: shared, exclusive, non-blocking, blocking.
#include "guest.h"
#include <sys/file.h>

int main(void) {
  enter_scratch();
  int fd = make_file("f", "x"), fds[2];
  SYS(pipe(fds));
  SYS(flock(fd, LOCK_EX));
  pid_t child = SYS(fork());
  if (child == 0) {
    int own = (int)SYS(open("f", O_RDWR));
    FAILS(flock(own, LOCK_SH | LOCK_NB), EWOULDBLOCK);
    CHECK(write(fds[1], "w", 1) == 1);
    SYS(flock(own, LOCK_EX));
    CHECK(write(fds[1], "g", 1) == 1);
    _exit(6);
  }
  char c;
  CHECK(read(fds[0], &c, 1) == 1 && c == 'w');
  sleep_ms(10);
  SYS(flock(fd, LOCK_UN));
  CHECK(read(fds[0], &c, 1) == 1 && c == 'g');
  CHECK(wait_exit(child) == 6);
  SYS(flock(fd, LOCK_SH | LOCK_NB));
  printf("child %d had the lock\n", child);
  return success();
}
