// The fs and gs bases by arch_prctl, and what lies behind them.
#include "guest.h"
#include <asm/prctl.h>

int main(void) {
  unsigned long fs = 0, gs = 99;
  SYS(syscall(SYS_arch_prctl, ARCH_GET_FS, &fs));
  SYS(syscall(SYS_arch_prctl, ARCH_GET_GS, &gs));
  unsigned long self;
  __asm__ volatile("mov %%fs:0, %0" : "=r"(self));
  CHECK(self == fs && (pthread_t)fs == pthread_self());
  printf("fs %lx gs %lx\n", fs, gs);
  FAILS(syscall(SYS_arch_prctl, 0x9999, &fs), EINVAL);
  static unsigned long area[4] = {11, 22, 33, 44};
  SYS(syscall(SYS_arch_prctl, ARCH_SET_GS, area));
  unsigned long value;
  __asm__ volatile("mov %%gs:16, %0" : "=r"(value));
  CHECK(value == 33);
  SYS(syscall(SYS_arch_prctl, ARCH_SET_GS, gs));
  return success();
}
