// An interpreter by computed goto: every cycle goes through an indirect jump.
#include "tick.h"

enum { kLoad, kAdd, kMul, kXor, kShift, kDecrement, kJump, kStop };

static uint64_t interpret(const unsigned char* program, uint64_t count) {
  static const void* const labels[] = {&&load, &&add, &&mul, &&xor, &&shift, &&decrement, &&jump, &&stop};
  const unsigned char* at = program;
  uint64_t a = 1, b = count;
#define NEXT goto* labels[*at++]
  NEXT;
load:
  a += *at++;
  NEXT;
add:
  a += b;
  NEXT;
mul:
  a *= 6364136223846793005ul;
  NEXT;
  xor : a ^= a >> 29;
  NEXT;
shift:
  a = a << 7 | a >> 57;
  NEXT;
decrement:
  b--;
  NEXT;
jump:
  at = b ? program : at + 1;
  NEXT;
stop:
  return a;
}

static uint64_t work(void) {
  static const unsigned char program[] = {kLoad, 17, kMul,       kXor,  kAdd, kShift, kMul, kXor,
                                          kLoad, 3,  kDecrement, kJump, 0,    kStop,  0};
  return interpret(program, 60000);
}

int main(void) {
  tick_run(work);
  return success();
}
