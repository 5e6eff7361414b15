// The clock, read through the vDSO, interrupted by alarms: a handler sees addresses of the vDSO.
#include <time.h>

#include "tick.h"

static uint64_t work(void) {
  struct timespec last = {0, 0}, now;
  for (int i = 0; i < 2000; i++) {
    SYS(clock_gettime(CLOCK_MONOTONIC, &now));
    CHECK(now.tv_sec > last.tv_sec || (now.tv_sec == last.tv_sec && now.tv_nsec >= last.tv_nsec));
    last = now;
  }
  return 2000;
}

int main(void) {
  tick_run(work);
  return success();
}
