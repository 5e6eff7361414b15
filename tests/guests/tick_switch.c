// Large switches in loops: jump tables, dense and sparse, and a tail call through a table of functions.
#include "tick.h"

#define CASE(n, op) \
  case n:           \
    a = (a op);     \
    break;

static uint64_t dense(uint64_t a, unsigned kind) {
  switch (kind) {
    CASE(0, +1)
    CASE(1, *3)
    CASE(2, ^0x55)
    CASE(3, << 3)
    CASE(4, >> 2)
    CASE(5, *a)
    CASE(6, +kind)
    CASE(7, -9)
    CASE(8, | 1)
    CASE(9, *11)
    CASE(10, ^(a >> 32))
    CASE(11, +0x12345)
    CASE(12, *5)
    CASE(13, ^0xff00)
    CASE(14, *7)
    CASE(15, +99)
    default:
      a = ~a;
  }
  return a;
}

static uint64_t step_one(uint64_t a, uint64_t left);
static uint64_t step_two(uint64_t a, uint64_t left);
static uint64_t step_end(uint64_t a, uint64_t left) { return a + left; }
static uint64_t (*const volatile steps[])(uint64_t, uint64_t) = {step_one, step_two, step_end};

// Tail calls by an indirect jump: a cycle without any direct branch.
__attribute__((noinline, optimize("O2"))) static uint64_t step_one(uint64_t a, uint64_t left) {
  return steps[left == 0 ? 2 : a & 1](a * 3 + 1, left - (left != 0));
}
__attribute__((noinline, optimize("O2"))) static uint64_t step_two(uint64_t a, uint64_t left) {
  return steps[left == 0 ? 2 : (a >> 1) & 1](a ^ (a << 13), left - (left != 0));
}

static uint64_t work(void) {
  uint64_t a = 1;
  for (unsigned i = 0; i < 200000; i++) {
    a = dense(a, (unsigned)(a >> 40) % 18);
    switch (a & 0xff00) {
      case 0x100:
        a += 5;
        break;
      case 0x2300:
        a ^= 0x77;
        continue;
      case 0x5500:
      case 0x5600:
      case 0x5700:
      case 0x5800:
        a *= 3;
        break;
      case 0xfe00:
        a -= i;
    }
    a += i;
  }
  return step_one(a, 200000);
}

int main(void) {
  tick_run(work);
  return success();
}
