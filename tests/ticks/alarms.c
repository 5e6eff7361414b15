// LD_PRELOADed into programs that know nothing of it: a timer interrupts them again and again, wherever they are.
//
// SIGURG, because programs rarely use it and ignore it by default; a timer of timer_create, because it is inherited
// neither by a child nor by the next program, which would both be without the handler for a moment.
#include <signal.h>
#include <stdlib.h>
#include <time.h>

static volatile sig_atomic_t alarms;

static void count(int number) {
  (void)number;
  alarms = alarms + 1;
}

// $TICK_ALARM_US is the time between two alarms in microseconds; nothing happens without it.
__attribute__((constructor)) static void begin(void) {
  const char* wanted = getenv("TICK_ALARM_US");
  const long microseconds = wanted ? atol(wanted) : 0;
  if (microseconds <= 0) return;
  const struct sigaction action = {.sa_handler = count, .sa_flags = SA_RESTART | SA_ONSTACK};
  sigaction(SIGURG, &action, NULL);
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGURG};
  const struct timespec every = {microseconds / 1000000, microseconds % 1000000 * 1000};
  const struct itimerspec when = {every, every};
  timer_t timer;
  if (timer_create(CLOCK_MONOTONIC, &event, &timer) == 0) timer_settime(timer, 0, &when, NULL);
}
