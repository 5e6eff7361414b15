// timer_create with a signal: value, overrun, gettime, delete.
#include "guest.h"

static volatile int count, value, overrun;
static timer_t timer;

static void handler(int signal, siginfo_t* info, void* context) {
  (void)signal, (void)context;
  count++;
  value = info->si_value.sival_int;
  overrun += timer_getoverrun(timer);
  CHECK(info->si_code == SI_TIMER);
}

int main(void) {
  struct sigaction action = {.sa_flags = SA_SIGINFO};
  action.sa_sigaction = handler;
  SYS(sigaction(SIGRTMIN, &action, NULL));
  struct sigevent event;
  memset(&event, 0, sizeof event);
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGRTMIN;
  event.sigev_value.sival_int = 4711;
  SYS(timer_create(CLOCK_MONOTONIC, &event, &timer));
  struct itimerspec spec = {{0, 4000000}, {0, 4000000}}, now;
  SYS(timer_settime(timer, 0, &spec, NULL));
  while (count < 4) pause();
  SYS(timer_gettime(timer, &now));
  CHECK(now.it_interval.tv_nsec == 4000000);
  SYS(timer_delete(timer));
  printf("%d expirations, overrun %d, %ld ns left\n", count, overrun, now.it_value.tv_nsec);
  CHECK(value == 4711);
  return success();
}
