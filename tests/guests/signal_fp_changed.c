// A handler changes a vector register in the frame; sigreturn loads it.
#include "guest.h"
#include <ucontext.h>

static void handler(int signal, siginfo_t* info, void* context) {
  (void)signal, (void)info;
  ucontext_t* c = context;
  c->uc_mcontext.fpregs->_xmm[7].element[0] = 0xabcd;
  c->uc_mcontext.gregs[REG_R12] = 0x123456;
}

int main(void) {
  struct sigaction action = {.sa_flags = SA_SIGINFO};
  action.sa_sigaction = handler;
  SYS(sigaction(SIGILL, &action, NULL));
  action.sa_flags = SA_SIGINFO;
  SYS(sigaction(SIGTRAP, &action, NULL));
  uint32_t in[4] = {1, 2, 3, 4}, out[4];
  uint64_t r12 = 0;
  __asm__ volatile("movdqu %[in], %%xmm7\n\tmov $5, %%r12\n\tint3\n\tmovdqu %%xmm7, %[out]\n\tmov %%r12, %[r12]"
                   : [out] "=m"(out), [r12] "=m"(r12)
                   : [in] "m"(in)
                   : "xmm7", "r12");
  printf("xmm7 %x %x %x %x r12 %lx\n", out[0], out[1], out[2], out[3], r12);
  CHECK(out[0] == 0xabcd && out[1] == 2 && out[3] == 4 && r12 == 0x123456);
  return success();
}
