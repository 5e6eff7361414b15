// POSIX and open-file-description record locks, with the holder told.
#include "guest.h"

int main(void) {
  enter_scratch();
  int fd = make_file("f", "0123456789"), fds[2];
  SYS(pipe(fds));
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 2, .l_len = 4};
  SYS(fcntl(fd, F_SETLK, &lock));
  pid_t child = SYS(fork());
  if (child == 0) {
    struct flock probe = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0};
    SYS(fcntl(fd, F_GETLK, &probe));
    CHECK(probe.l_type == F_WRLCK && probe.l_pid == getppid() && probe.l_start == 2 && probe.l_len == 4);
    FAILS(fcntl(fd, F_SETLK, &lock), EAGAIN);
    CHECK(write(fds[1], "w", 1) == 1);
    SYS(fcntl(fd, F_SETLKW, &lock));
    printf("child has it after parent %d\n", probe.l_pid);
    exit(0);
  }
  char c;
  CHECK(read(fds[0], &c, 1) == 1);
  sleep_ms(10);
  lock.l_type = F_UNLCK;
  SYS(fcntl(fd, F_SETLK, &lock));
  CHECK(wait_exit(child) == 0);
  int other = (int)SYS(open("f", O_RDWR));
  struct flock own = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
  SYS(fcntl(other, F_OFD_SETLK, &own));
  FAILS(fcntl(fd, F_OFD_SETLK, &own), EAGAIN);
  SYS(fcntl(fd, F_OFD_GETLK, &own));
  CHECK(own.l_pid == -1);
  return success();
}
