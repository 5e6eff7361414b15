// Vector arithmetic over system calls: the registers keep their values.
#include "guest.h"
#include <immintrin.h>

__attribute__((target("avx"))) static void with_avx(void) {
  __m256d sum = _mm256_setzero_pd(), step = _mm256_set_pd(1, 2, 3, (double)getpid());
  for (int i = 0; i < 50; i++) {
    sum = _mm256_add_pd(sum, step);
    if (i % 10 == 0) {
      __asm__ volatile("" : "+x"(sum), "+x"(step));
      long result;
      __asm__ volatile("syscall" : "=a"(result) : "a"(SYS_sched_yield) : "rcx", "r11", "memory");
      CHECK(result == 0);
    }
  }
  double out[4];
  _mm256_storeu_pd(out, sum);
  printf("avx %g %g %g %g\n", out[0], out[1], out[2], out[3]);
  CHECK(out[3] == 50 && out[1] == 150);
}

int main(void) {
  if (__builtin_cpu_supports("avx")) with_avx();
  __m128 a = _mm_set_ps(1, 2, 3, 4), b = _mm_sqrt_ps(a);
  float out[4];
  _mm_storeu_ps(out, _mm_mul_ps(b, b));
  printf("sse %g %g %g %g\n", out[0], out[1], out[2], out[3]);
  return success();
}
