// Sleeps that a signal of the process interrupts and another thread then takes: the kernel has written what was left of
// the time, and the sleep goes on as if nothing had been.
#include "guest.h"

enum { kThreads = 2, kSleeps = 400 };

static volatile int ends, handled;

static void on_signal(int signal) {
  (void)signal;
  handled = 1;
}

// Setting a mask makes the kernel look for signals of the process (kernel/signal.c, recalc_sigpending).
static void* take_signals(void* none) {
  (void)none;
  sigset_t all, before;
  sigfillset(&all);
  while (!ends) {
    for (volatile int i = 0; i < 2000; i++) continue;
    SYS(sigprocmask(SIG_SETMASK, &all, &before));
    SYS(sigprocmask(SIG_SETMASK, &before, NULL));
  }
  return NULL;
}

int main(void) {
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  SYS(sigaction(SIGALRM, &action, NULL));
  pthread_t threads[kThreads];
  for (int i = 0; i < kThreads; i++) OK(pthread_create(&threads[i], NULL, take_signals, NULL));
  struct itimerval often = {{0, 700}, {0, 700}}, never = {{0, 0}, {0, 0}};
  SYS(setitimer(ITIMER_REAL, &often, NULL));
  int interrupted = 0;
  for (int i = 0; i < kSleeps; i++) {
    struct timespec time = {0, 1000000};
    const int error = clock_nanosleep(CLOCK_MONOTONIC, 0, &time, &time);
    CHECK(error == 0 || error == EINTR);
    interrupted += error == EINTR;
    CHECK(time.tv_sec == 0 && time.tv_nsec >= 0 && time.tv_nsec < 2000000);  // with the slack of a timer
  }
  SYS(setitimer(ITIMER_REAL, &never, NULL));
  ends = 1;
  for (int i = 0; i < kThreads; i++) OK(pthread_join(threads[i], NULL));
  CHECK(handled || interrupted == 0);
  printf("interrupted %d times\n", interrupted);
  return success();
}
