// What a sanitizer does: reserves terabytes of address space for its shadow, of which it touches little, and closes what
// it leaves unused.
#include "guest.h"

static char* reserve(unsigned long at, unsigned long end, int prot) {
  char* made = mmap((void*)at, end - at, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
  CHECK(made == (char*)at);
  return made;
}

int main(void) {
  char* shadow = reserve(0x010000000000, 0x200000000000, PROT_READ | PROT_WRITE);
  reserve(0x200000000000, 0x300000000000, PROT_NONE);
  char* meta = reserve(0x300000000000, 0x340000000000, PROT_READ | PROT_WRITE);
  reserve(0x340000000000, 0x550000000000, PROT_NONE);
  reserve(0x568000000000, 0x7b0000000000, PROT_NONE);
  for (unsigned long i = 0; i < 200; i++) {
    shadow[i << 36] = (char)i;
    meta[i << 33] = shadow[i << 36];
  }
  for (int i = 0; i < 1000; i++) getppid();  // comes to several checks
  int sum = 0;
  for (unsigned long i = 0; i < 200; i++) sum += (unsigned char)meta[i << 33];
  printf("= %d\n", sum);
  return success();
}
