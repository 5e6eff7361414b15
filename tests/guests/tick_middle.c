// Hand-written code that jumps where a compiler never does: between a comparison and its branch, into the middle of an
// instruction, by addresses computed from tables, by `push; ret`, and back into the middle of a loop's last group.
#include "tick.h"

// Two entries to one loop: at its head, and between the comparison and the branch.
static uint64_t two_entries(uint64_t n) {
  uint64_t sum = 0, i = 0;
  __asm__ volatile(
      "test $1, %2\n\tcmp %2, %1\n\tjmp 2f\n1: lea (%0,%1,2), %0\n\tinc %1\n\tcmp %2, %1\n2: jb 1b\n\t"
      "test $3, %2\n\tjz 3f\n\tdec %2\n\tcmp $5, %2\n\tja 2b\n3:"
      : "+r"(sum), "+r"(i), "+r"(n)::"cc");
  return sum ^ n;
}

// An address inside the loop in a register: reached by an indirect jump in the first round, by the branch later on.
static uint64_t by_register(uint64_t n) {
  uint64_t sum = 1, where;
  __asm__ volatile(
      "lea 2f(%%rip), %1\n\txor %%eax, %%eax\n\tjmp *%1\n1: lea 5(%0,%0,2), %0\n2: add $1, %%rax\n3: cmp %2, %%rax\n\t"
      "jb 1b\n\tlea 3b(%%rip), %1\n\tadd $1000, %%rax\n\tcmp $100000, %%rax\n\tjae 4f\n\tjmp *%1\n4:"
      : "+r"(sum), "=&r"(where), "+r"(n)::"rax", "cc");
  return sum;
}

// A table of distances relative to a label, added up by the program; and a return to a pushed address.
static uint64_t by_table(uint64_t n) {
  uint64_t sum = 0, base, at;
  __asm__ volatile(
      ".pushsection .rodata\n5: .long 1f - 4f, 2f - 4f, 3f - 4f, 2f - 4f\n.popsection\n"
      "lea 5b(%%rip), %1\n4: mov %3, %2\n\tand $3, %2\n\tmovslq (%1,%2,4), %2\n\tlea 4b(%%rip), %%rax\n\tadd %%rax, "
      "%2\n\t"
      "jmp *%2\n1: add $3, %0\n2: rol $5, %0\n\txor %3, %0\n3: sub $1, %3\n\tjnz 4b"
      : "+r"(sum), "=&r"(base), "=&r"(at), "+r"(n)::"rax", "cc");
  return sum;
}

__attribute__((naked, noinline)) static uint64_t by_return(uint64_t n __attribute__((unused))) {
  __asm__(
      "xor %eax, %eax\n1: lea 2f(%rip), %rcx\n\tpush %rcx\n\tlea 7(%rax,%rax,4), %rax\n\tret\n"
      "2: dec %rdi\n\tjnz 1b\n\tret");
}

// The immediate of a `mov` is itself an instruction, and the loop jumps there: two readings of the same bytes.
static uint64_t overlapping(uint64_t n) {
  uint64_t sum = 0;
  // b8 imm32: mov eax, imm32; the immediate reads: add $1, %rbx (48 83 c3 01).
  __asm__ volatile(
      "xor %%ebx, %%ebx\n1: .byte 0xb8\n2: .byte 0x48, 0x83, 0xc3, 0x01\n\tadd $3, %0\n\tdec %1\n\tjz 3f\n\t"
      "test $1, %1\n\tjz 1b\n\tjmp 2b\n3: lea (%0,%%rbx,8), %0"
      : "+r"(sum), "+r"(n)::"rax", "rbx", "cc");
  return sum;
}

// Back into the middle of the group that ends the loop: the store between comparison and branch is one more target.
static uint64_t into_the_tail(uint64_t n) {
  uint64_t sum = 0, cell = 0;
  __asm__ volatile(
      "1: add $1, %0\n\tcmp %2, %0\n3: mov %0, %1\n\tjb 1b\n\tcmp $0, %2\n\tje 4f\n\tmov $0, %2\n\tadd $17, %0\n\t"
      "cmp %0, %0\n\tjmp 3b\n4:"
      : "+r"(sum), "+m"(cell), "+r"(n)::"cc");
  return sum ^ cell << 20;
}

// The stack pointer is a general register here: no byte below or above it may be touched.
static uint64_t without_stack(uint64_t n) {
  uint64_t sum = 0, saved;
  __asm__ volatile(
      "mov %%rsp, %1\n\tmov %2, %%rsp\n1: lea (%%rsp,%0), %0\n\tdec %%rsp\n\tjnz 1b\n\tmov $8, %%esp\n"
      "2: add %%rsp, %0\n\tdec %%rsp\n\tjnz 2b\n\tmov %1, %%rsp"
      : "+r"(sum), "=&r"(saved)
      : "r"(n)
      : "cc");
  return sum;
}

// A leaf that keeps its values below the stack pointer.
__attribute__((naked, noinline)) static uint64_t red_zone(uint64_t n __attribute__((unused))) {
  __asm__(
      "mov %rdi, -8(%rsp)\n\tmovq $0, -16(%rsp)\n\tmovq $77, -128(%rsp)\n1: mov -8(%rsp), %rax\n\tadd %rax, "
      "-16(%rsp)\n\t"
      "decq -8(%rsp)\n\tjnz 1b\n\tmov -16(%rsp), %rax\n\tadd -128(%rsp), %rax\n\tret");
}

static uint64_t work(void) {
  uint64_t hash = two_entries(30003) + by_register(20000) + by_table(20001) + by_return(20000) + overlapping(30000);
  return hash ^ into_the_tail(30000) << 8 ^ red_zone(30000);
}

int main(void) {
  CHECK(without_stack(3) == 3 + 2 + 1 + 36);
  uint64_t sum = 0;
  for (uint64_t i = 1; i < 40; i++) sum += without_stack(i * 20000);
  printf("= %lx\n", sum);
  tick_run(work);
  return success();
}
