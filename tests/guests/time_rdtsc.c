// rdtsc and rdtscp: values that only the processor knows.
#include "guest.h"
#include <x86intrin.h>

int main(void) {
  uint64_t last = 0;
  for (int i = 0; i < 20; i++) {
    uint64_t now = __rdtsc();
    CHECK(now > last);
    last = now;
  }
  unsigned aux = 0;
  uint64_t with_aux = __rdtscp(&aux);
  CHECK(with_aux > last);
  uint32_t low, high;
  __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
  CHECK(((uint64_t)high << 32 | low) > with_aux);
  printf("tsc %lu %lu aux %x\n", last, with_aux, aux);
  return success();
}
