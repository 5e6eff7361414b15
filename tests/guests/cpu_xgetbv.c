// xgetbv and the size of the extended state.
#include "guest.h"
#include <cpuid.h>

int main(void) {
  unsigned a, b, c, d;
  __cpuid(1, a, b, c, d);
  if (!(c & bit_OSXSAVE)) {
    puts("no XSAVE");
    return success();
  }
  unsigned low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  CHECK((low & 3) == 3);
  __cpuid_count(0xd, 0, a, b, c, d);
  printf("xcr0 %x:%x area %u of %u\n", high, low, b, c);
  return success();
}
