// SIGFPE by divisions in loops of a few instructions: the handler changes the divisor, skips the division, or leaves.
#include <setjmp.h>

#include <ucontext.h>
#include "guest.h"

static volatile int how, faults;
static sigjmp_buf out;
extern const char divides_64[], divides_32[];

static void on_fault(int signal, siginfo_t* info, void* context) {
  greg_t* r = ((ucontext_t*)context)->uc_mcontext.gregs;
  if (signal != SIGFPE || info->si_code != FPE_INTDIV || info->si_addr != (void*)r[REG_RIP]) _exit(91);
  if (r[REG_RIP] != (greg_t)divides_64 && r[REG_RIP] != (greg_t)divides_32) _exit(92);
  faults++;
  if (how == 2) siglongjmp(out, 1);
  if (how == 1) {
    r[REG_RIP] += r[REG_RIP] == (greg_t)divides_64 ? 3 : 2;
  } else {
    r[REG_RCX] = 7;
  }
}

// Divides 1000 by n - 3, n - 4, … and adds up; the division stands between a comparison and its branch's next round.
__attribute__((noinline)) static uint64_t sum_64(uint64_t n) {
  uint64_t sum = 0;
  __asm__ volatile(
      "1: lea -3(%1), %%rcx\n\tmov $1000, %%eax\n\txor %%edx, %%edx\n.globl divides_64\ndivides_64: div %%rcx\n\t"
      "add %%rax, %0\n\tdec %1\n\tjnz 1b"
      : "+r"(sum), "+r"(n)::"rax", "rcx", "rdx", "cc");
  return sum;
}

__attribute__((noinline)) static uint64_t sum_32(uint64_t n) {
  uint64_t sum = 0;
  __asm__ volatile(
      "1: lea -3(%1), %%rcx\n\tmov $1000, %%eax\n\tcltd\n\tadd $3, %0\n\tdec %1\n.globl divides_32\n"
      "divides_32: idiv %%ecx\n\tlea (%0,%%rax), %0\n\ttest %1, %1\n\tjnz 1b"
      : "+r"(sum), "+r"(n)::"rax", "rcx", "rdx", "cc");
  return sum;
}

int main(void) {
  struct sigaction action = {.sa_flags = SA_SIGINFO};
  action.sa_sigaction = on_fault;
  SYS(sigaction(SIGFPE, &action, NULL));
  for (volatile int kind = 0; kind < 3; kind++) {
    how = kind;
    for (volatile uint64_t n = 5; n < 200; n += 13) {
      volatile uint64_t a = 0, b = 0;
      if (sigsetjmp(out, 1) == 0) a = sum_64(n);
      if (sigsetjmp(out, 1) == 0) b = sum_32(n);
      if (n > 180) printf("= %d: %lu %lu\n", kind, (unsigned long)a, (unsigned long)b);
    }
  }
  printf("= %d faults\n", faults);
  CHECK(faults == 3 * 2 * 15);
  return success();
}
