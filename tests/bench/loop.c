// A loop of arithmetic and memory accesses that makes no system call.
#include <stdint.h>
#include <stdio.h>

int main(void) {
  static uint32_t table[4096];
  uint32_t x = 12345;
  for (long i = 0; i < 900000000; i++) {
    x = x * 1664525 + 1013904223;
    table[x >> 20] += x;
  }
  printf("%u\n", table[17]);
  return 0;
}
