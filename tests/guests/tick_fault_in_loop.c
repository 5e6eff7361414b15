// SIGSEGV in loops of a few instructions, before, between and after the comparison that ends the loop. The handler
// repairs by mprotect, by mmap, by changing a register, by skipping the instruction, or leaves by siglongjmp.
#include <setjmp.h>

#include <ucontext.h>
#include "guest.h"

enum Repair { kProtect, kMap, kRegister, kSkip, kJump };
static volatile enum Repair repair;
static char* area;
static volatile long faults;
static volatile uintptr_t expected_rip;
static sigjmp_buf out;
enum { kPages = 8, kBytes = kPages * 4096 };

static void on_fault(int signal, siginfo_t* info, void* context) {
  greg_t* r = ((ucontext_t*)context)->uc_mcontext.gregs;
  (void)signal;
  faults++;
  if ((uintptr_t)r[REG_RIP] != expected_rip) _exit(91);
  char* address = info->si_addr;
  if (address < area || address >= area + kBytes) _exit(92);
  char* page = (char*)((uintptr_t)address & ~4095ul);
  switch (repair) {
    case kProtect:
      if (mprotect(page, 4096, PROT_READ | PROT_WRITE)) _exit(93);
      break;
    case kMap:
      if (mmap(page, 4096, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
        _exit(94);
      break;
    case kRegister:  // rsi is the loop's pointer: on to the next page
      r[REG_RSI] = (greg_t)(page + 4096);
      break;
    case kSkip:  // 3 bytes: the load or store itself
      r[REG_RIP] += 3;
      break;
    case kJump:
      siglongjmp(out, 1);
  }
}

// Each loop goes over the area in steps of 8 and says how many rounds it made; its access has 3 bytes and a label.
#define LOOP(name, text)                                                                  \
  __attribute__((noinline)) static long name(char* from, char* to) {                      \
    long rounds = 0;                                                                      \
    char* p = from;                                                                       \
    __asm__ volatile("lea 9f(%%rip), %%rax\n\tmov %%rax, %2\n\txor %%eax, %%eax\n\t" text \
                     : "+r"(rounds), "+S"(p), "=m"(expected_rip)                          \
                     : "D"(to)                                                            \
                     : "rax", "cc", "memory");                                            \
    return rounds;                                                                        \
  }
LOOP(load_first, "1: inc %0\n9: mov (%1), %%rax\n\tadd $8, %1\n\tcmp %3, %1\n\tjb 1b")
LOOP(load_between, "1: inc %0\n\tadd $8, %1\n\tcmp %3, %1\n9: .byte 0x48, 0x8b, 0x06\n\tjbe 1b")
LOOP(store_between, "1: inc %0\n\tadd $8, %1\n\tcmp %3, %1\n9: .byte 0x48, 0x89, 0x06\n\tjbe 1b")
LOOP(add_before, "1: inc %0\n9: add %%rax, (%1)\n\tlea 8(%1), %1\n\tcmp %3, %1\n\tjb 1b")
// The comparison itself faults, fused with the branch on most processors.
LOOP(compare, "1: inc %0\n\tlea 8(%1), %1\n9: cmp %3, (%1)\n\tjb 1b")

static volatile long passed;

int main(void) {
  struct sigaction action = {.sa_flags = SA_SIGINFO};
  action.sa_sigaction = on_fault;
  SYS(sigaction(SIGSEGV, &action, NULL));
  area = mmap(NULL, kBytes + 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(area != MAP_FAILED);
  // Behind the pages that fault one lies open.
  SYS(mprotect(area + kBytes, 4096, PROT_READ | PROT_WRITE));
  long (*const loops[])(char*, char*) = {load_first, load_between, store_between, add_before, compare};
  for (volatile int i = 0; i < 5; i++) {
    for (volatile int how = kProtect; how <= kJump; how++) {
      // The comparison that is skipped leaves the flags of no comparison.
      if (i == 4 && how == kSkip) continue;
      SYS(mprotect(area, kBytes, PROT_NONE));
      *(char**)(area + kBytes) = area + kBytes;  // the word on which the last loop ends
      faults = 0, repair = how;
      volatile long rounds = -1;
      if (sigsetjmp(out, 1) == 0) {
        rounds = loops[i](area, area + kBytes - (i == 1 || i == 2 ? 16 : 0));
      }
      printf("= loop %d, repair %d: %ld rounds, %ld faults\n", i, how, rounds, faults);
      CHECK(faults > 0 && (rounds > 0) == (how != kJump));
      passed++;
    }
  }
  CHECK(passed == 24);
  return success();
}
