// A program changes an instruction within a loop of its own, where the code around the back edge may have been moved.
#include "guest.h"

// xor %eax, %eax; 1: add $imm8, %rax; dec %rdi; jnz 1b; ret
__asm__(
    ".pushsection .text\n.balign 4096\n.globl changed\n.type changed, @function\nchanged: .byte 0x31, 0xc0\n"
    "1: .byte 0x48, 0x83, 0xc0, 1\n.byte 0x48, 0xff, 0xcf\njnz 1b\nret\n.size changed, . - changed\n.balign 4096\n"
    ".popsection");
uint64_t changed(uint64_t rounds);

int main(void) {
  unsigned char* code = (unsigned char*)changed;
  CHECK(changed(1000) == 1000);
  uint64_t sum = 0;
  for (unsigned char i = 2; i < 40; i++) {
    SYS(mprotect(code, 4096, PROT_READ | PROT_WRITE));
    code[5] = i;
    SYS(mprotect(code, 4096, PROT_READ | PROT_EXEC));
    CHECK(changed(2000) == 2000ul * i);
    sum += changed(i);
  }
  printf("= %lu\n", sum);
  return success();
}
