// What a program finds out about its CPU: by cpuid, by xgetbv, from the kernel (tests/e2e/cpu_baseline.py).
#include <cpuid.h>
#include <sys/auxv.h>

#include "guest.h"

int main(void) {
  unsigned a = 0, b = 0, c = 0, d = 0;
  CHECK(__get_cpuid(1, &a, &b, &c, &d));
  printf("sse4_2 %d popcnt %d avx %d osxsave %d aes %d\n", c >> 20 & 1, c >> 23 & 1, c >> 28 & 1, c >> 27 & 1, c >> 25 & 1);
  const int can = c >> 27 & 1;
  b = c = 0;
  __get_cpuid_count(7, 0, &a, &b, &c, &d);
  printf("avx2 %d avx512f %d rtm %d bmi2 %d\n", b >> 5 & 1, b >> 16 & 1, b >> 11 & 1, b >> 8 & 1);
  if (can) {
    unsigned low = 0, high = 0;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    printf("xcr0 %x\n", low);
    __get_cpuid_count(0xd, 0, &a, &b, &c, &d);
    printf("area %u\n", b);
  }
  printf("fsgsbase %d\n", (int)(getauxval(AT_HWCAP2) >> 1 & 1));
  // What libc has chosen works.
  char text[300], copy[300];
  memset(text, 'x', sizeof text);
  text[299] = 0;
  CHECK(strlen(text) == 299 && memcpy(copy, text, sizeof copy) == copy && strcmp(copy, text) == 0);
  return success();
}
