// cpuid: vendor, brand, features, and the calls through the compiler's own cache.
#include "guest.h"
#include <cpuid.h>

int main(void) {
  unsigned a, b, c, d, brand[12];
  __cpuid(0, a, b, c, d);
  unsigned vendor[3] = {b, d, c}, highest = a;
  CHECK(highest >= 1);
  __cpuid(1, a, b, c, d);
  printf("%.12s highest %u signature %x features %x %x\n", (char*)vendor, highest, a, c, d);
  for (unsigned leaf = 0; leaf < 3; leaf++)
    __cpuid(0x80000002 + leaf, brand[leaf * 4], brand[leaf * 4 + 1], brand[leaf * 4 + 2], brand[leaf * 4 + 3]);
  printf("%.48s\n", (char*)brand);
  if (highest >= 7) {
    __cpuid_count(7, 0, a, b, c, d);
    printf("extended %x %x %x\n", b, c, d);
  }
  CHECK(__builtin_cpu_supports("sse2"));
  return success();
}
