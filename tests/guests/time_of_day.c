// gettimeofday, time, ftime-like calls, in a loop.
#include "guest.h"

int main(void) {
  struct timeval last = {0, 0}, now;
  for (int i = 0; i < 200; i++) {
    SYS(gettimeofday(&now, NULL));
    CHECK(now.tv_sec > last.tv_sec || (now.tv_sec == last.tv_sec && now.tv_usec >= last.tv_usec));
    last = now;
  }
  time_t seconds, stored;
  seconds = time(&stored);
  CHECK(seconds == stored && seconds + 1 >= now.tv_sec); // the clock of time() may lag by a tick
  struct timezone zone;
  SYS(syscall(SYS_gettimeofday, &now, &zone));
  CHECK(syscall(SYS_time, NULL) >= seconds);
  printf("%ld.%06ld zone %d\n", (long)now.tv_sec, (long)now.tv_usec, zone.tz_minuteswest);
  return success();
}
