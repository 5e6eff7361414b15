// Who gets the baton next. Pure and deterministic: plain data, no ptrace, no allocation, no clock, so that the same
// decision can later be made inside the tracee, and so that a seed repeats it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tmrec::sched {

struct Policy {
  std::uint64_t state = 0;  // of the generator; 0: always the task that has waited longest

  static Policy seeded(std::uint64_t seed) { return Policy{seed == 0 ? 0 : (seed * 0x9e3779b97f4a7c15ull) | 1}; }

  // Which of `ready` waiting tasks (at least one; index 0 has waited longest) runs next. With a seed, the longest
  // waiting one is chosen half of the time, so that nobody starves and orders still vary.
  std::size_t choose(std::size_t ready) {
    if (state == 0 || ready == 1) return 0;
    std::uint64_t r = next();
    return (r & 1) ? 0 : static_cast<std::size_t>((r >> 1) % ready);
  }

  // After how many system calls a task that never waits gives way to others.
  std::uint32_t slice() {
    constexpr std::uint32_t kCalls = 200;
    return state == 0 ? kCalls : 1 + static_cast<std::uint32_t>(next() % kCalls);
  }

 private:
  // xorshift64* (Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled").
  std::uint64_t next() {
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545f4914f6cdd1dull;
  }
};

}  // namespace tmrec::sched
