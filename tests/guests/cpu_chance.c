// Branches decided by instructions whose results no replay could guess: rdtsc, rdtscp, rdrand, rdseed, rdpid, cpuid's
// APIC number and xgetbv, in loops.
#include <cpuid.h>

#include <sys/auxv.h>
#include "guest.h"

static uint64_t choices, states;

static void choose(unsigned bit) {
  choices = choices << 1 | (bit & 1);
  states = states * 31 + (bit & 1 ? choices : ~choices);
}

static void by_time(void) {
  for (int i = 0; i < 200; i++) {
    unsigned low, high, core;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    choose(low >> 3 ^ high);
    __asm__ volatile("rdtscp" : "=a"(low), "=d"(high), "=c"(core));
    choose(low >> 4 ^ core);
  }
}

static void by_random(bool seed) {
  for (int i = 0; i < 100; i++) {
    uint64_t wide = 0;
    uint32_t middle = 0;
    uint16_t narrow = 0;
    uint8_t ok;
    if (seed) {
      __asm__ volatile("rdseed %0\n\tsetc %1" : "=r"(wide), "=qm"(ok)::"cc");
    } else {
      __asm__ volatile("1: rdrand %0\n\tjnc 1b\n\tsetc %1" : "=r"(wide), "=qm"(ok)::"cc");
      __asm__ volatile("rdrand %0" : "=r"(middle)::"cc");
      // The upper bits of the register stay as they are.
      uint64_t kept = 0x1234567800000000;
      __asm__ volatile("rdrand %w0" : "+r"(kept)::"cc");
      CHECK(kept >> 16 == 0x123456780000);
      narrow = (uint16_t)kept;
    }
    choose(ok);
    if (ok) choose((unsigned)wide ^ middle ^ narrow);
  }
}

static void by_place(bool rdpid) {
  for (int i = 0; i < 50; i++) {
    unsigned eax, ebx, ecx, edx;
    CHECK(__get_cpuid(1, &eax, &ebx, &ecx, &edx));
    choose(ebx >> 24);
    if (ecx & bit_OSXSAVE) {
      __asm__ volatile("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
      choose(eax >> 2);
    }
    uint64_t core;
    if (rdpid) {
      __asm__ volatile("rdpid %0" : "=r"(core));
      choose((unsigned)core);
    }
  }
}

int main(void) {
  unsigned eax, ebx, ecx, edx;
  CHECK(__get_cpuid(1, &eax, &ebx, &ecx, &edx));
  bool rdrand = ecx & bit_RDRND;
  ebx = ecx = 0;
  bool seven = __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx);
  for (int round = 0; round < 4; round++) {
    by_time();
    if (rdrand) by_random(false);
    if (seven && (ebx & bit_RDSEED)) by_random(true);
    by_place(seven && (ecx & (1u << 22)));
    printf("choices %016lx, state %016lx\n", choices, states);
  }
  return success();
}
