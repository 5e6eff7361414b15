// SSE, AVX and x87 registers survive a handler that destroys them.
#include "guest.h"

static void handler(int signal) {
  (void)signal;
  double zero[8];
  for (int i = 0; i < 8; i++) zero[i] = -1.0 * i;
  __asm__ volatile("movupd %0, %%xmm0\n\tmovupd %0, %%xmm7\n\tmovupd %0, %%xmm15\n\tfninit" ::"m"(zero)
                   : "xmm0", "xmm7", "xmm15");
  if (__builtin_cpu_supports("avx")) __asm__ volatile("vzeroall" ::: "xmm1", "xmm2", "xmm3");
}

int main(void) {
  signal(SIGUSR1, handler);
  uint64_t in[4] = {0x1111, 0x2222, (uint64_t)getpid(), 0x4444}, out[4] = {0, 0, 0, 0};
  double pi = 0;
  bool avx = __builtin_cpu_supports("avx");
  long number = SYS_tgkill, group = getpid(), thread = syscall(SYS_gettid);
  if (avx) {
    __asm__ volatile("vmovdqu %[in], %%ymm7\n\tfldpi\n\tsyscall\n\tvmovdqu %%ymm7, %[out]\n\tfstpl %[pi]"
                     : "+a"(number), [out] "=m"(out), [pi] "=m"(pi)
                     : "D"(group), "S"(thread), "d"(SIGUSR1), [in] "m"(in)
                     : "rcx", "r11", "memory", "xmm7");
    CHECK(out[2] == in[2] && out[3] == in[3]);
  } else {
    __asm__ volatile("movdqu %[in], %%xmm7\n\tfldpi\n\tsyscall\n\tmovdqu %%xmm7, %[out]\n\tfstpl %[pi]"
                     : "+a"(number), [out] "=m"(out), [pi] "=m"(pi)
                     : "D"(group), "S"(thread), "d"(SIGUSR1), [in] "m"(in)
                     : "rcx", "r11", "memory", "xmm7");
  }
  CHECK(out[0] == in[0] && out[1] == in[1] && number == 0);
  printf("pi %.15f avx %d third lane %lx\n", pi, avx, out[2]);
  CHECK(pi > 3.14159 && pi < 3.1416);
  return success();
}
