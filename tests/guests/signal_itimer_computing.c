// A timer that fires again and again while the program computes: the signals are kept back until a call, and the next
// one then finds its signal blocked by the handler of the one before.
#include "guest.h"

static volatile sig_atomic_t ticks, others;
static void on_alarm(int signal) { ticks += signal == SIGALRM; }
static void on_other(int signal) { others += signal == SIGVTALRM; }

static void compute(void) {
  for (volatile long i = 0; i < 40000000; ++i) continue;
}

int main(void) {
  struct sigaction action = {.sa_handler = on_alarm};
  sigemptyset(&action.sa_mask);
  sigaddset(&action.sa_mask, SIGVTALRM);
  SYS(sigaction(SIGALRM, &action, NULL));
  action.sa_handler = on_other;
  sigaddset(&action.sa_mask, SIGALRM);
  SYS(sigaction(SIGVTALRM, &action, NULL));
  struct itimerval timer = {{0, 10000}, {0, 10000}}, never = {{0, 0}, {0, 0}};
  SYS(setitimer(ITIMER_REAL, &timer, NULL));
  SYS(setitimer(ITIMER_VIRTUAL, &timer, NULL));
  for (int round = 0; round < 3; ++round) {
    compute();
    printf("%d and %d signals\n", (int)ticks, (int)others);
  }
  SYS(setitimer(ITIMER_REAL, &never, NULL));
  SYS(setitimer(ITIMER_VIRTUAL, &never, NULL));
  CHECK(ticks > 0 && others > 0);
  return success();
}
