// mprotect: split mappings, code made at run time and executed.
#include "guest.h"

int main(void) {
  unsigned char* page = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(page != MAP_FAILED);
  unsigned char code[] = {0xb8, 0, 0, 0, 0, 0x01, 0xf8, 0xc3};  // mov $imm, %eax; add %edi, %eax; ret
  for (int round = 1; round <= 3; round++) {
    code[1] = (unsigned char)(round * 10);
    SYS(mprotect(page + 4096, 4096, PROT_READ | PROT_WRITE));
    memcpy(page + 4096, code, sizeof code);
    SYS(mprotect(page + 4096, 4096, PROT_READ | PROT_EXEC));
    int result = ((int (*)(int))(void*)(page + 4096))(5);
    CHECK(result == round * 10 + 5);
  }
  page[0] = page[8192] = 1;
  SYS(mprotect(page, 3 * 4096, PROT_NONE));
  int fds[2];
  SYS(pipe(fds));
  FAILS(write(fds[1], page, 1), EFAULT);
  SYS(mprotect(page, 3 * 4096, PROT_READ));
  CHECK(page[8192] == 1);
  FAILS(mprotect(page + 1, 4096, PROT_READ), EINVAL);
  printf("code ran at %p\n", (void*)(page + 4096));
  return success();
}
