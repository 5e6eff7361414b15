// Loops by `loop`, `loope`, `loopne`, `jrcxz` and `jecxz`, and loops of one or two instructions.
#include "tick.h"

static const unsigned char bytes[4096] = {[0 ... 3999] = 7, [4000] = 9, [4001 ... 4095] = 7};

static uint64_t by_loop(void) {
  uint64_t sum = 0, count = 40000;
  __asm__ volatile("1: add %1, %0\n\tloop 1b" : "+r"(sum), "+c"(count)::"cc");
  CHECK(count == 0);
  count = 40000;
  __asm__ volatile("1: loop 1b" : "+c"(count));
  CHECK(count == 0);
  // Address size override: ecx counts.
  count = 0x5000009c40;
  __asm__ volatile("1: addr32 loop 1b" : "+c"(count));
  return sum ^ count;
}

static uint64_t by_loop_flags(void) {
  uint64_t count = 4096;
  const unsigned char* at = bytes - 1;
  __asm__ volatile("1: inc %1\n\tcmpb $9, (%1)\n\tloopne 1b" : "+c"(count), "+r"(at)::"cc", "memory");
  CHECK(at == bytes + 4000 && count == 95);
  at = bytes - 1, count = 4096;
  __asm__ volatile("1: inc %1\n\tcmpb $7, (%1)\n\tloope 1b" : "+c"(count), "+r"(at)::"cc", "memory");
  CHECK(at == bytes + 4000 && count == 95);
  return (uint64_t)(at - bytes) + count;
}

static uint64_t by_zero_tests(void) {
  uint64_t sum = 3, count = 30000;
  __asm__ volatile("1: jrcxz 2f\n\tlea (%0,%0,4), %0\n\tlea -1(%1), %1\n\tjmp 1b\n2:" : "+r"(sum), "+c"(count)::"cc");
  CHECK(count == 0);
  count = 0x7700007530;
  // Backwards by jecxz: into a stretch that ends the loop.
  __asm__ volatile("jmp 2f\n1: jmp 3f\n2: imul $7, %0, %0\n\tdec %%ecx\n\tjecxz 1b\n\tjmp 2b\n3:"
                   : "+r"(sum), "+c"(count)::"cc");
  CHECK(count == 0);
  return sum;
}

static uint64_t tiny(void) {
  uint64_t count = 100000, other = 0, cell = 50000;
  __asm__ volatile("1: dec %0\n\tjnz 1b" : "+r"(count)::"cc");
  CHECK(count == 0);
  __asm__ volatile("1: inc %1\n\tcmp $70000, %1\n\tjb 1b" : "+r"(count), "+r"(other)::"cc");
  __asm__ volatile("1: decq %0\n\tjnz 1b" : "+m"(cell)::"cc");
  CHECK(cell == 0 && other == 70000);
  __asm__ volatile("1: sub $3, %0\n\tjns 1b" : "+r"(other)::"cc");
  // All near forms.
  count = 50000;
  __asm__ volatile("1: dec %0\n\t.byte 0x0f, 0x85\n\t.long 1b - . - 4" : "+r"(count)::"cc");
  __asm__ volatile("mov $9, %0\n1: dec %0\n\tjz 2f\n\t.byte 0xe9\n\t.long 1b - . - 4\n2:" : "+r"(count)::"cc");
  CHECK(count == 0);
  return other;
}

static uint64_t work(void) { return by_loop() ^ by_loop_flags() << 32 ^ by_zero_tests() ^ tiny(); }

int main(void) {
  tick_run(work);
  return success();
}
