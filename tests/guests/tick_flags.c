// Flags that live across back edges: carry chains, overflow chains, a condition decided before the jump back,
// direction.
#include <cpuid.h>
#include "tick.h"

enum { kWords = 512 };
static uint64_t a[kWords], b[kWords], expected_sum[kWords];
static bool has_adx;

static void sum_in_c(void) {
  unsigned __int128 carry = 0;
  for (int i = 0; i < kWords; i++) {
    carry += (unsigned __int128)a[i] + b[i];
    expected_sum[i] = (uint64_t)carry;
    carry >>= 64;
  }
}

static void sum_by_dec(uint64_t* out) {
  const uint64_t *p = a, *q = b;
  uint64_t count = kWords, word;
  __asm__ volatile(
      "clc\n1: mov (%1), %4\n\tadc (%2), %4\n\tmov %4, (%0)\n\t"
      "lea 8(%1), %1\n\tlea 8(%2), %2\n\tlea 8(%0), %0\n\tdec %3\n\tjnz 1b"
      : "+r"(out), "+r"(p), "+r"(q), "+r"(count), "=&r"(word)::"cc", "memory");
}

static void sum_by_loop(uint64_t* out) {
  const uint64_t *p = a, *q = b;
  uint64_t count = kWords, word;
  __asm__ volatile(
      "clc\n1: mov (%1), %4\n\tadc (%2), %4\n\tmov %4, (%0)\n\t"
      "lea 8(%1), %1\n\tlea 8(%2), %2\n\tlea 8(%0), %0\n\tloop 1b"
      : "+r"(out), "+r"(p), "+r"(q), "+c"(count), "=&r"(word)::"cc", "memory");
}

static void sum_by_jmp(uint64_t* out) {
  const uint64_t *p = a, *q = b;
  uint64_t count = kWords, word;
  __asm__ volatile(
      "clc\n1: jrcxz 2f\n\tmov (%1), %4\n\tadc (%2), %4\n\tmov %4, (%0)\n\t"
      "lea 8(%1), %1\n\tlea 8(%2), %2\n\tlea 8(%0), %0\n\tlea -1(%3), %3\n\tjmp 1b\n2:"
      : "+r"(out), "+r"(p), "+r"(q), "+c"(count), "=&r"(word)::"cc", "memory");
}

// The condition is set at the end of the round and used at its beginning; zero, sign, overflow and parity are live.
static uint64_t condition_first(void) {
  uint64_t n = 20000, sum = 0;
  __asm__ volatile(
      "test %0, %0\n1: jz 2f\n\tjs 3f\n\tjo 3f\n\tjp 4f\n\tlea 3(%1,%1), %1\n4: lea 1(%1), %1\n\t"
      "sub $1, %0\n\tjmp 1b\n3: xor %1, %1\n2:"
      : "+r"(n), "+r"(sum)::"cc");
  return sum;
}

// setcc and sbb of flags made in the round before, over a back edge of two bytes and one of six.
static uint64_t flags_kept(void) {
  uint64_t n = 10000, state = 12345, sum = 0;
  __asm__ volatile(
      "xor %2, %2\n1: sbb %%rax, %%rax\n\tadd %%rax, %2\n\tlea 7(%1,%1,2), %1\n\tbt $13, %1\n\t"
      "lea -1(%0), %0\n\txchg %0, %%rcx\n\tjrcxz 2f\n\txchg %0, %%rcx\n\tjmp 1b\n2: xchg %0, %%rcx"
      : "+r"(n), "+r"(state), "+r"(sum)::"rax", "rcx", "cc");
  n = 10000;
  __asm__ volatile(
      "xor %2, %2\n1: lahf\n\tmovzbl %%ah, %%eax\n\tand $0xd5, %%eax\n\tlea (%2,%%rax), %2\n\timul $77, %1, %1\n\t"
      "add $991, %1\n\t.skip 100, 0x90\n\tlea -1(%0), %0\n\txchg %0, %%rcx\n\tjrcxz 2f\n\txchg %0, %%rcx\n\tjmp 1b\n"
      "2: xchg %0, %%rcx"
      : "+r"(n), "+r"(state), "+r"(sum)::"rax", "rcx", "cc");
  return sum ^ state;
}

// Two carry chains at once, in CF and OF.
__attribute__((target("adx"))) static uint64_t two_chains(void) {
  uint64_t low = 0, high = 0, word, count = kWords;
  const uint64_t* p = a;
  __asm__ volatile(
      "xor %k4, %k4\n1: mov (%3), %4\n\tadcx %4, %0\n\tadox %4, %1\n\tlea 8(%3), %3\n\tlea -1(%2), %2\n\t"
      "jrcxz 2f\n\tjmp 1b\n2: mov $0, %k4\n\tadcx %4, %0\n\tadox %4, %1"
      : "+r"(low), "+r"(high), "+c"(count), "+r"(p), "=&r"(word)::"cc", "memory");
  CHECK(low == high);
  return low;
}

static uint64_t two_chains_in_c(void) {
  uint64_t sum = 0, carry = 0;
  for (int i = 0; i < kWords; i++) {
    unsigned __int128 wide = (unsigned __int128)sum + a[i] + carry;
    sum = (uint64_t)wide, carry = (uint64_t)(wide >> 64);
  }
  return sum + carry;
}

// The direction flag is set throughout the loop.
static uint64_t downwards(void) {
  uint64_t count = kWords, sum = 0;
  const uint64_t* p = a + kWords - 1;
  __asm__ volatile("std\n1: lodsq\n\trol $1, %0\n\txor %%rax, %0\n\tdec %1\n\tjnz 1b\n\tcld"
                   : "+r"(sum), "+r"(count), "+S"(p)::"rax", "cc", "memory");
  CHECK(p == a - 1);
  return sum;
}

static uint64_t work(void) {
  uint64_t out[kWords];
  void (*const sums[])(uint64_t*) = {sum_by_dec, sum_by_loop, sum_by_jmp};
  uint64_t hash = 0;
  for (int round = 0; round < 40; round++) {
    memset(out, 0, sizeof out);
    sums[round % 3](out);
    CHECK(memcmp(out, expected_sum, sizeof out) == 0);
    hash = hash * 3 + downwards();
    if (has_adx) CHECK(two_chains() == two_chains_in_c());
  }
  return hash ^ condition_first() ^ flags_kept() ^ out[kWords - 1];
}

int main(void) {
  unsigned eax, ebx = 0, ecx, edx;
  has_adx = __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (ebx & bit_ADX);
  for (int i = 0; i < kWords; i++) {
    a[i] = (uint64_t)i * 0x9e3779b97f4a7c15ul | (i % 3 == 0 ? 0xffffffff00000000ul : 0);
    b[i] = ~a[i] + (uint64_t)(i % 2);
  }
  sum_in_c();
  tick_run(work);
  return success();
}
