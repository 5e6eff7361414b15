// Priorities and policies: read, set, yield.
#include "guest.h"
#include <sched.h>
#include <sys/resource.h>

int main(void) {
  struct sched_param param;
  printf("= policy %d\n", sched_getscheduler(0));
  SYS(sched_getparam(0, &param));
  struct timespec interval;
  SYS(sched_rr_get_interval(0, &interval));
  CHECK(sched_get_priority_max(SCHED_FIFO) == 99);
  SYS(sched_yield());
  errno = 0;
  int priority = getpriority(PRIO_PROCESS, 0);
  CHECK(errno == 0);
  SYS(setpriority(PRIO_PROCESS, 0, priority + 3));
  CHECK(getpriority(PRIO_PROCESS, 0) == priority + 3);
  printf("= priority %d\n", priority);
  printf("interval %ld ns\n", interval.tv_nsec);
  return success();
}
