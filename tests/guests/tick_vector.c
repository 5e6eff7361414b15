// x87, SSE and AVX registers hold values across all rounds of loops that are interrupted.
#include <cpuid.h>
#include <immintrin.h>
#include "tick.h"

static bool has_avx2;

__attribute__((target("avx2,fma"))) static uint64_t by_avx(void) {
  __m256i a = _mm256_set_epi64x(1, 2, 3, 4), b = _mm256_set1_epi64x(0x9e3779b97f4a7c15);
  for (int i = 0; i < 30000; i++) {
    a = _mm256_add_epi64(_mm256_xor_si256(a, _mm256_srli_epi64(a, 7)), b);
    b = _mm256_add_epi32(_mm256_shuffle_epi32(b, 0x39), a);
  }
  uint64_t words[4];
  _mm256_storeu_si256((__m256i*)words, _mm256_xor_si256(a, b));
  return words[0] ^ words[1] * 3 ^ words[2] * 5 ^ words[3] * 7;
}

static uint64_t work(void) {
  long double x = 0.3L;
  double y = 0.7;
  __m128i z = _mm_set_epi32(1, 2, 3, 4);
  for (int i = 0; i < 30000; i++) {
    x = 3.75L * x * (1.0L - x);
    y = 3.9 * y * (1.0 - y);
    z = _mm_add_epi32(_mm_slli_epi32(z, 3), _mm_srli_epi32(z, 5));
  }
  uint64_t bits, words[2];
  memcpy(&bits, &y, sizeof bits);
  _mm_storeu_si128((__m128i*)words, z);
  uint64_t hash = digest(&x, 10) ^ bits ^ words[0] ^ words[1] * 9;
  return has_avx2 ? hash ^ by_avx() : hash;
}

int main(void) {
  unsigned eax, ebx = 0, ecx, edx;
  has_avx2 = __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (ebx & bit_AVX2);
  tick_run(work);
  return success();
}
