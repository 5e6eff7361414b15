// timerfd: relative, absolute, repeating, disarmed, with poll.
#include "guest.h"
#include <poll.h>
#include <sys/timerfd.h>

int main(void) {
  int fd = (int)SYS(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
  struct itimerspec spec = {{0, 3000000}, {0, 5000000}}, old;
  SYS(timerfd_settime(fd, 0, &spec, NULL));
  uint64_t count = 0, total = 0;
  FAILS(read(fd, &count, 8), EAGAIN);
  struct pollfd p = {fd, POLLIN, 0};
  while (total < 4) {
    CHECK(poll(&p, 1, 1000) == 1);
    CHECK(read(fd, &count, 8) == 8);
    total += count;
  }
  SYS(timerfd_gettime(fd, &old));
  CHECK(old.it_interval.tv_nsec == 3000000);
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  int absolute = (int)SYS(timerfd_create(CLOCK_REALTIME, 0));
  spec = (struct itimerspec){{0, 0}, now};
  SYS(timerfd_settime(absolute, TFD_TIMER_ABSTIME, &spec, NULL));
  CHECK(read(absolute, &count, 8) == 8 && count == 1);
  printf("%lu expirations, %ld ns to the next\n", (unsigned long)total, old.it_value.tv_nsec);
  return success();
}
