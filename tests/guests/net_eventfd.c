// eventfd: counter, semaphore mode, blocking between processes.
#include "guest.h"
#include <sys/eventfd.h>

int main(void) {
  int fd = (int)SYS(eventfd(3, EFD_CLOEXEC)), back = (int)SYS(eventfd(0, EFD_SEMAPHORE));
  uint64_t value;
  SYS(eventfd_write(fd, 4));
  SYS(eventfd_read(fd, &value));
  CHECK(value == 7);
  pid_t child = SYS(fork());
  if (child == 0) {
    SYS(eventfd_read(fd, &value));
    SYS(eventfd_write(back, value * 2));
    _exit(0);
  }
  sleep_ms(5);
  SYS(eventfd_write(fd, (uint64_t)(getpid() % 50) + 1));
  CHECK(wait_exit(child) == 0);
  uint64_t total = 0;
  SYS(fcntl(back, F_SETFL, O_NONBLOCK));
  while (read(back, &value, 8) == 8) total += value;
  CHECK(errno == EAGAIN && total == (uint64_t)(getpid() % 50 + 1) * 2);
  printf("total %lu\n", (unsigned long)total);
  return success();
}
