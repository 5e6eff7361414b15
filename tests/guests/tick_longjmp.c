// longjmp out of nested loops, again and again, and into frames far above.
#include <setjmp.h>
#include "tick.h"

__attribute__((noinline)) static void search(jmp_buf out, uint64_t wanted) {
  for (uint64_t i = 0;; i++) {
    for (uint64_t j = 0; j < 40; j++) {
      for (uint64_t k = 0; k < 7; k++) {
        if (i * 1000 + j * 10 + k == wanted) longjmp(out, (int)(i + j + k) + 1);
      }
    }
  }
}

__attribute__((noinline)) static uint64_t descend(jmp_buf out, int depth) {
  if (depth == 0) longjmp(out, 4711);
  return depth > 0 ? descend(out, depth - 1) + 1 : 0;
}

static uint64_t work(void) {
  jmp_buf out;
  volatile uint64_t sum = 0;
  for (volatile uint64_t wanted = 5; wanted < 60000; wanted += 300) {
    int value = setjmp(out);
    if (value == 0) search(out, wanted - wanted % 10 % 7 - wanted / 10 % 100 / 40 * 400);
    sum = sum * 31 + (uint64_t)value;
  }
  for (volatile int i = 0; i < 20; i++) {
    if (setjmp(out) == 0) sum = sum + descend(out, 200 + i);
    sum = sum ^ (sum << 5);
  }
  return sum;
}

int main(void) {
  tick_run(work);
  return success();
}
