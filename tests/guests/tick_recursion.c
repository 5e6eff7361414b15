// Recursion without any loop: mutual, deep, and branching out.
#include "tick.h"

#define RECURSIVE __attribute__((noinline, noclone, optimize("no-optimize-sibling-calls")))

static uint64_t odd(uint64_t n, uint64_t state);
RECURSIVE static uint64_t even(uint64_t n, uint64_t state) {
  if (n == 0) return state;
  return odd(n - 1, state * 31 + 7) ^ n;
}
RECURSIVE static uint64_t odd(uint64_t n, uint64_t state) {
  if (n == 0) return ~state;
  return even(n - 1, state ^ (state >> 3)) + n;
}

RECURSIVE static uint64_t tree(unsigned n) { return n < 2 ? n : tree(n - 1) + tree(n - 2); }

RECURSIVE static uint64_t ackermann(uint64_t m, uint64_t n) {
  if (m == 0) return n + 1;
  if (n == 0) return ackermann(m - 1, 1);
  return ackermann(m - 1, ackermann(m, n - 1));
}

// Forward calls only lead to the next function; the way back to the first goes through a pointer.
static uint64_t (*volatile through)(uint64_t);
RECURSIVE static uint64_t by_pointer(uint64_t n) { return n == 0 ? 1 : through(n - 1) * 3 + n; }

static uint64_t work(void) {
  through = by_pointer;
  return even(30000, 1) ^ (tree(22) << 20) ^ ackermann(2, 60) ^ by_pointer(20000);
}

int main(void) {
  tick_run(work);
  return success();
}
