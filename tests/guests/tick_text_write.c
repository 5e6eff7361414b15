// A program makes its own code writable, changes an instruction, makes it executable again and runs it.
#include "guest.h"

// mov $imm32, %eax; ret, on pages of its own.
__asm__(
    ".pushsection .text\n.balign 4096\n.globl changed\n.type changed, @function\nchanged: .byte 0xb8\n.long 1\nret\n"
    ".size changed, . - changed\n.balign 4096\n.popsection");
int changed(void);

static int change(int value) {
  char* code = (char*)changed;
  SYS(mprotect(code, 4096, PROT_READ | PROT_WRITE));
  memcpy(code + 1, &value, sizeof value);
  SYS(mprotect(code, 4096, PROT_READ | PROT_EXEC));
  return changed();
}

int main(void) {
  CHECK(changed() == 1);
  uint64_t sum = 0;
  for (int i = 0; i < 50; i++) {
    CHECK(change(i * 77) == i * 77);
    for (int j = 0; j < 1000; j++) sum = sum * 31 + (uint64_t)changed();
  }
  pid_t child = SYS(fork());
  if (!child) _exit(change(55));
  CHECK(wait_exit(child) == 55);
  CHECK(changed() == 49 * 77);
  // Writable and executable at once.
  char* code = (char*)changed;
  SYS(mprotect(code, 4096, PROT_READ | PROT_WRITE | PROT_EXEC));
  for (int i = 0; i < 50; i++) {
    code[1] = (char)i;
    sum = sum * 31 + (uint64_t)(changed() & 0xff);
  }
  printf("= %lx\n", sum);
  return success();
}
