// Timers of CPU time reach a computing loop: ITIMER_PROF and ITIMER_VIRTUAL, each alone, then all three kinds at once.
#include "tick.h"

static volatile long seen[3];
static volatile uint64_t state = 1;

static void on_timer(int signal, siginfo_t* info, void* context) {
  const ucontext_t* c = context;
  if (info->si_signo != signal || !tick_in_module((uintptr_t)c->uc_mcontext.gregs[REG_RIP])) _exit(96);
  seen[signal == SIGALRM ? 0 : signal == SIGVTALRM ? 1 : 2]++;
}

static void compute(void) {
  for (int i = 0; i < 50000; i++) state = state * 6364136223846793005ul + 1;
}

static void set(int kind, long microseconds) {
  struct itimerval timer = {{0, microseconds}, {0, microseconds}};
  SYS(setitimer(kind, &timer, NULL));
}

int main(void) {
  tick_find_modules();
  struct sigaction action = {.sa_flags = SA_SIGINFO | SA_RESTART};
  action.sa_sigaction = on_timer;
  SYS(sigaction(SIGALRM, &action, NULL));
  SYS(sigaction(SIGVTALRM, &action, NULL));
  SYS(sigaction(SIGPROF, &action, NULL));
  set(ITIMER_PROF, 1000);
  while (seen[2] < 5) compute();
  set(ITIMER_PROF, 0);
  set(ITIMER_VIRTUAL, 1000);
  while (seen[1] < 5) compute();
  set(ITIMER_PROF, 1000);
  set(ITIMER_REAL, 1000);
  long wanted[3] = {seen[0] + 5, seen[1] + 5, seen[2] + 5};
  while (seen[0] < wanted[0] || seen[1] < wanted[1] || seen[2] < wanted[2]) compute();
  set(ITIMER_PROF, 0);
  set(ITIMER_VIRTUAL, 0);
  set(ITIMER_REAL, 0);
  printf("%ld real, %ld virtual, %ld profiling; state %lx\n", seen[0], seen[1], seen[2], state);
  return success();
}
