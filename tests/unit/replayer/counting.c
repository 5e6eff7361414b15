// A program without a library, for timeline_test.cc to go to and fro in: functions that are called thousands of times,
// memory that is written to always, now and then, and once, system calls in between. `data` is where counting.h says.
#include "counting.h"

#include <sys/syscall.h>

static void note(long i);
void _start(void);

__attribute__((section(".shared_with_test"))) volatile struct CountingData data = {.note = note, .start = _start};

static long call(long number, long argument) {
  long result;
  __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(argument) : "rcx", "r11", "memory");
  return result;
}

__attribute__((noinline)) static void note(long i) {
  data.total += i;
  if (i % kSeldom == 0) data.seldom[i / kSeldom] = i + 1;
  if (i == kOnce) data.once = i;
}

__attribute__((force_align_arg_pointer)) void _start(void) {
  long i = 0;
  for (int round = 0; round < kRounds; round++) {
    call(SYS_getppid, 0);
    for (int k = 0; k < kNotesPerRound; k++) note(i++);
  }
  call(SYS_exit_group, 0);
  __builtin_unreachable();
}
