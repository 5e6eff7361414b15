// Per-thread clocks, usage and scheduling parameters.
#include "guest.h"
#include <sched.h>
#include <sys/resource.h>

static void* body(void* unused) {
  struct timespec t;
  struct rusage usage;
  clockid_t clock;
  SYS(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t));
  SYS(getrusage(RUSAGE_THREAD, &usage));
  OK(pthread_getcpuclockid(pthread_self(), &clock));
  struct timespec again;
  SYS(clock_gettime(clock, &again));
  CHECK(again.tv_sec > t.tv_sec || (again.tv_sec == t.tv_sec && again.tv_nsec >= t.tv_nsec));
  int policy;
  struct sched_param param;
  OK(pthread_getschedparam(pthread_self(), &policy, &param));
  printf("thread time %ld ns then %ld, switches %ld, policy %d\n", t.tv_nsec, again.tv_nsec, usage.ru_nvcsw, policy);
  return unused;
}

int main(void) {
  pthread_t threads[2];
  for (int i = 0; i < 2; i++) OK(pthread_create(&threads[i], NULL, body, NULL));
  for (int i = 0; i < 2; i++) OK(pthread_join(threads[i], NULL));
  return success();
}
