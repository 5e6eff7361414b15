// A program with a %gs of its own: set by arch_prctl and by wrgsbase, read in loops, in a thread and after fork.
#include <asm/prctl.h>

#include <sys/auxv.h>
#include "guest.h"

static uint64_t area[3][4] = {{11, 12, 13, 14}, {21, 22, 23, 24}, {31, 32, 33, 34}};

static uint64_t sum_of_gs(uint64_t rounds) {
  uint64_t sum = 0;
  __asm__ volatile("1: add %%gs:0, %0\n\tadd %%gs:16, %0\n\tdec %1\n\tjnz 1b"
                   : "+r"(sum), "+r"(rounds)::"cc", "memory");
  return sum;
}

static void* body(void* argument) {
  SYS(syscall(SYS_arch_prctl, ARCH_SET_GS, area[1]));
  CHECK(sum_of_gs(30000) == 30000 * (21 + 23));
  return argument;
}

int main(void) {
  SYS(syscall(SYS_arch_prctl, ARCH_SET_GS, area[0]));
  CHECK(sum_of_gs(50000) == 50000 * (11 + 13));
  area[0][0] = 100;
  CHECK(sum_of_gs(50000) == 50000 * (100 + 13));
  __asm__ volatile("movq $7, %gs:8");
  CHECK(area[0][1] == 7);
  pthread_t thread;
  OK(pthread_create(&thread, NULL, body, NULL));
  CHECK(sum_of_gs(50000) == 50000 * (100 + 13));
  OK(pthread_join(thread, NULL));
  pid_t child = SYS(fork());
  if (!child) _exit(sum_of_gs(1000) == 1000 * (100 + 13) ? 5 : 6);
  CHECK(wait_exit(child) == 5);
  unsigned long base = 0;
  SYS(syscall(SYS_arch_prctl, ARCH_GET_GS, &base));
  CHECK(base == (unsigned long)area[0]);
  if (getauxval(AT_HWCAP2) & 2) {
    __asm__ volatile("wrgsbase %0" ::"r"(area[2]));
    CHECK(sum_of_gs(50000) == 50000 * (31 + 33));
    __asm__ volatile("rdgsbase %0" : "=r"(base));
    CHECK(base == (unsigned long)area[2]);
  }
  sleep_ms(1);
  printf("%lu\n", sum_of_gs(50000));
  return success();
}
