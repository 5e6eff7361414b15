// A system call changes rax, rcx and r11 as documented, and no other register.
#include "guest.h"

int main(void) {
  unsigned long out[12], flags;
  static const unsigned long in[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  for (int round = 0; round < 3; round++) {
    long number = round == 0 ? SYS_getpid : round == 1 ? SYS_sched_yield : 9999;
    long result = number;
    unsigned long rcx = 0, r11 = 0, next = 0;
    __asm__ volatile(
        "push %%rbx\n\tpush %%r12\n\tpush %%r13\n\tpush %%r14\n\tpush %%r15\n\t"
        "mov $0x51, %%rbx\n\tmov $0x52, %%r12\n\tmov $0x53, %%r13\n\tmov $0x54, %%r14\n\tmov $0x55, %%r15\n\t"
        "mov $0x58, %%r8\n\tmov $0x59, %%r9\n\tmov $0x5a, %%r10\n\tmov $0x5d, %%rdx\n\t"
        "stc\n\tsyscall\n\t1: lea 1b(%%rip), %%rsi\n\t"
        "xor $0x51, %%rbx\n\txor $0x52, %%r12\n\txor $0x53, %%r13\n\txor $0x54, %%r14\n\txor $0x55, %%r15\n\t"
        "xor $0x58, %%r8\n\txor $0x59, %%r9\n\txor $0x5a, %%r10\n\txor $0x5d, %%rdx\n\t"
        "or %%rbx, %%rdx\n\tor %%r12, %%rdx\n\tor %%r13, %%rdx\n\tor %%r14, %%rdx\n\tor %%r15, %%rdx\n\t"
        "or %%r8, %%rdx\n\tor %%r9, %%rdx\n\tor %%r10, %%rdx\n\t"
        "pop %%r15\n\tpop %%r14\n\tpop %%r13\n\tpop %%r12\n\tpop %%rbx\n\t"
        "mov %%r11, %%r8"
        : "+a"(result), "=c"(rcx), "=S"(next), "=d"(out[0]), "=D"(out[1])
        : "D"(0)
        : "r8", "r9", "r10", "r11", "memory", "cc");
    (void)in, (void)flags, (void)r11;
    CHECK(rcx == next && out[0] == 0);
    printf("call %ld gave %ld, rcx %lx\n", number, result, rcx);
    CHECK(round != 0 || result == getpid());
    CHECK(round != 2 || result == -ENOSYS);
  }
  return success();
}
