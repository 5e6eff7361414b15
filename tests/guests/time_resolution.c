// clock_getres, times, clock, getrusage, sysconf about time.
#include "guest.h"
#include <sys/resource.h>
#include <sys/times.h>

int main(void) {
  struct timespec resolution;
  for (int clock = 0; clock < 8; clock++) {
    SYS(clock_getres((clockid_t)clock, &resolution));
    printf("= clock %d resolution %ld\n", clock, resolution.tv_nsec);
  }
  volatile unsigned work = 0;
  for (unsigned i = 0; i < 3000000; i++) work += i * i;
  struct tms tms;
  clock_t ticks = times(&tms);
  struct rusage usage;
  SYS(getrusage(RUSAGE_SELF, &usage));
  SYS(getrusage(RUSAGE_CHILDREN, &usage));
  SYS(getrusage(RUSAGE_SELF, &usage));
  printf("ticks %ld user %ld clock %ld, %ld.%06ld s user, %ld KiB\n", (long)ticks, (long)tms.tms_utime, (long)clock(),
         (long)usage.ru_utime.tv_sec, (long)usage.ru_utime.tv_usec, usage.ru_maxrss);
  return success();
}
