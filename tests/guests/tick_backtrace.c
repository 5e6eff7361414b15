// A profiler: backtraces from handlers of SIGPROF and SIGALRM while deep frames compute. All frames lie in modules, and
// the way back leads to main.
#include <execinfo.h>
#include <unwind.h>
#include "tick.h"

static volatile long good, frames;
static volatile uint64_t state = 1;
int main(void);

static void on_signal(int signal, siginfo_t* info, void* context) {
  (void)signal, (void)info;
  void* addresses[128];
  int count = backtrace(addresses, 128);
  const ucontext_t* c = context;
  bool reached_main = false, interrupted = false;
  for (int i = 0; i < count; i++) {
    if (!tick_in_module((uintptr_t)addresses[i])) _exit(96);
    if ((uintptr_t)addresses[i] == (uintptr_t)c->uc_mcontext.gregs[REG_RIP]) interrupted = true;
    reached_main |= _Unwind_FindEnclosingFunction((char*)addresses[i] - 1) == (void*)main;
  }
  if (!reached_main || !interrupted) _exit(97);
  good++;
  frames += count;
}

#define FRAME __attribute__((noinline, noclone, optimize("no-optimize-sibling-calls")))

FRAME static uint64_t leaf(uint64_t n) {
  uint64_t sum = 0;
  for (uint64_t i = 0; i < n; i++) sum = sum * 31 + (i ^ state);
  return sum;
}
FRAME static uint64_t middle(int depth, uint64_t n) {
  uint64_t sum = depth > 0 ? middle(depth - 1, n) : 0;
  for (int i = 0; i < 3; i++) sum += leaf(n + sum % 3);
  return sum ^ (uint64_t)depth;
}
// No frame pointer, a stack pointer that moves, callee-saved registers in use: unwinding needs the tables.
__attribute__((noinline, noclone, optimize("omit-frame-pointer"))) static uint64_t tight(uint64_t n) {
  uint64_t a = n, b = 1, c = 2, d = 3;
  do {
    a = a * 5 + b, b ^= c << 3, c += d, d = d * 7 + a;
  } while (--n);
  return a ^ b ^ c ^ d;
}

int main(void) {
  tick_find_modules();
  void* first[4];
  CHECK(backtrace(first, 4) > 0);  // Loads the unwinder.
  tick_find_modules();
  struct sigaction action = {.sa_flags = SA_SIGINFO | SA_RESTART};
  action.sa_sigaction = on_signal;
  sigaddset(&action.sa_mask, SIGPROF);
  sigaddset(&action.sa_mask, SIGALRM);
  SYS(sigaction(SIGALRM, &action, NULL));
  SYS(sigaction(SIGPROF, &action, NULL));
  struct itimerval timer = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};
  SYS(setitimer(ITIMER_PROF, &timer, NULL));
  while (good < 20) state = middle(20, 500) + tight(5000);
  SYS(setitimer(ITIMER_PROF, &never, NULL));
  SYS(setitimer(ITIMER_REAL, &timer, NULL));
  while (good < 40) state = middle(30, 500) + tight(5000);
  SYS(setitimer(ITIMER_REAL, &never, NULL));
  printf("%ld backtraces with %ld frames, state %lx\n", good, frames, state);
  return success();
}
