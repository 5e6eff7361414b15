// clock_gettime of every clock, through the library (vdso) and as a system call; none runs backwards.
#include "guest.h"

static int64_t value(struct timespec t) { return t.tv_sec * 1000000000l + t.tv_nsec; }

int main(void) {
  clockid_t clocks[] = {CLOCK_REALTIME,        CLOCK_MONOTONIC,          CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID,
                        CLOCK_MONOTONIC_RAW,   CLOCK_REALTIME_COARSE,    CLOCK_MONOTONIC_COARSE,   CLOCK_BOOTTIME,
                        CLOCK_REALTIME_ALARM,  CLOCK_BOOTTIME_ALARM,     11 /* TAI */};
  for (size_t i = 0; i < sizeof clocks / sizeof *clocks; i++) {
    struct timespec a, b, c;
    if (clock_gettime(clocks[i], &a) != 0) {
      CHECK(errno == EINVAL || errno == EOPNOTSUPP);
      printf("no clock %d\n", (int)clocks[i]);
      continue;
    }
    SYS(syscall(SYS_clock_gettime, clocks[i], &b));
    SYS(clock_gettime(clocks[i], &c));
    printf("clock %d: %ld.%09ld +%ld +%ld\n", (int)clocks[i], (long)a.tv_sec, a.tv_nsec, value(b) - value(a), value(c) - value(b));
    CHECK(i == 5 || i == 6 || (value(b) >= value(a) && value(c) >= value(b)));
  }
  FAILS(syscall(SYS_clock_gettime, 99, &(struct timespec){0, 0}), EINVAL);
  return success();
}
