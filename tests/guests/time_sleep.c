// nanosleep and clock_nanosleep, relative and absolute, in process and real time.
#include "guest.h"

int main(void) {
  struct timespec start, end, t = {0, 5000000};
  SYS(clock_gettime(CLOCK_MONOTONIC, &start));
  CHECK(nanosleep(&t, NULL) == 0);
  OK(clock_nanosleep(CLOCK_REALTIME, 0, &t, NULL));
  SYS(clock_gettime(CLOCK_MONOTONIC, &end));
  end.tv_nsec += 5000000;
  if (end.tv_nsec >= 1000000000) end.tv_sec++, end.tv_nsec -= 1000000000;
  OK(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL));
  OK(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &start, NULL));
  SYS(clock_gettime(CLOCK_MONOTONIC, &end));
  long slept = (end.tv_sec - start.tv_sec) * 1000 + (end.tv_nsec - start.tv_nsec) / 1000000;
  CHECK(slept >= 14);
  t.tv_nsec = 2000000000;
  FAILS(nanosleep(&t, NULL), EINVAL);
  CHECK(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &t, NULL) == EINVAL);
  CHECK(usleep(1000) == 0);
  printf("slept %ld ms until %ld.%09ld\n", slept, (long)end.tv_sec, end.tv_nsec);
  return success();
}
