// What an alarm's handler sees of the computation it interrupts: the instruction pointer lies in the computing
// function, on an instruction that the counters then have; the stack pointer in its stack; a changed register has its
// effect.
#include "tick.h"

static volatile long good, strange;
static volatile int stop;
extern const char spin_begin[], spin_end[];
static char* stack_low;
static char* stack_high;

static void on_alarm(int signal, siginfo_t* info, void* context) {
  (void)info;
  ucontext_t* c = context;
  greg_t* r = c->uc_mcontext.gregs;
  uintptr_t rip = (uintptr_t)r[REG_RIP], rsp = (uintptr_t)r[REG_RSP];
  if (signal != SIGALRM || !tick_in_module(rip)) _exit(96);
  if (rip < (uintptr_t)spin_begin || rip >= (uintptr_t)spin_end) {
    strange++;
    return;
  }
  if (rsp < (uintptr_t)stack_low || rsp >= (uintptr_t)stack_high) _exit(94);
  // r14 and r15 are equal at the loop's head and one apart within it.
  if (r[REG_R14] != r[REG_R15] && r[REG_R14] != r[REG_R15] + 1) _exit(93);
  if (r[REG_R13] != 0x1234567) _exit(92);
  if (++good >= 20) r[REG_R12] = 1;
}

// Counts in r14 and r15 until r12 is no longer zero, which only the handler can do.
__attribute__((noinline)) static uint64_t spin(void) {
  uint64_t count;
  __asm__ volatile(
      "xor %%r12d, %%r12d\n\tmov $0x1234567, %%r13d\n\txor %%r14d, %%r14d\n\txor %%r15d, %%r15d\n"
      ".globl spin_begin\nspin_begin:\n1: inc %%r14\n\tinc %%r15\n\ttest %%r12, %%r12\n\tjz 1b\n"
      ".globl spin_end\nspin_end:\n\tmov %%r15, %0"
      : "=r"(count)::"r12", "r13", "r14", "r15", "cc");
  return count;
}

int main(void) {
  tick_find_modules();
  CHECK((uintptr_t)spin_begin >= tick_own_begin && (uintptr_t)spin_end <= tick_own_end);
  pthread_attr_t attributes;
  void* low;
  size_t size;
  OK(pthread_getattr_np(pthread_self(), &attributes));
  OK(pthread_attr_getstack(&attributes, &low, &size));
  stack_low = low, stack_high = stack_low + size;
  struct sigaction action = {.sa_flags = SA_SIGINFO | SA_RESTART};
  action.sa_sigaction = on_alarm;
  SYS(sigaction(SIGALRM, &action, NULL));
  struct itimerval timer = {{0, 1000}, {0, 1000}};
  SYS(setitimer(ITIMER_REAL, &timer, NULL));
  uint64_t count = spin();
  tick_stop_alarms();
  printf("%lu rounds, %ld alarms elsewhere\n", count, strange);
  CHECK(good >= 20);
  return success();
}
