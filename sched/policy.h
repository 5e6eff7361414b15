// Who gets the baton next, and for how long. Pure and deterministic: plain data, no ptrace, no allocation, no clock, so
// that the same decision can later be made inside the tracee, and so that a seed repeats it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tmrec::sched {

// Plainly, tasks take turns. Chaos looks for orders that hardly ever happen: some tasks are held back for long while
// others run, a new task may run before its creator goes on, slices are now and then very short, and where they end
// varies.
struct Policy {
  std::uint64_t state = 0;  // of the generator; 0: always the task that has waited longest
  bool chaos = false;       // only with a seed

  static Policy seeded(std::uint64_t seed, bool chaos = false) {
    return Policy{seed == 0 ? 0 : (seed * 0x9e3779b97f4a7c15ull) | 1, chaos && seed != 0};
  }

  // Which of `ready` waiting tasks (at least one; index 0 has waited longest) runs next. With a seed, the longest
  // waiting one is chosen half of the time, so that nobody starves and orders still vary.
  std::size_t choose(std::size_t ready) {
    if (state == 0 || ready == 1) return 0;
    std::uint64_t r = next();
    return (r & 1) ? 0 : static_cast<std::size_t>((r >> 1) % ready);
  }

  // Chaos: of a task, from its birth and whenever it is changed. Larger goes first.
  std::uint32_t priority() { return chaos ? static_cast<std::uint32_t>(next() >> 33) : 0; }
  bool changes_priority() { return chaos && next() % 16 == 0; }
  // The choice among `ready` tasks by their priorities. Sometimes another one runs, so that nobody starves.
  std::size_t choose(const std::uint32_t* priorities, std::size_t ready) {
    if (ready == 1) return 0;
    if (next() % 8 == 0) return static_cast<std::size_t>(next() % ready);
    std::size_t best = 0;
    for (std::size_t i = 1; i < ready; ++i) best = priorities[i] > priorities[best] ? i : best;
    return best;
  }
  // A task has made another one: whether that runs first.
  bool newborn_first() { return chaos && next() % 4 == 0; }
  // How long a slice is, given the usual length in ticks. Chaos: often as short as can be, else all orders of magnitude
  // alike.
  std::uint64_t ticks(std::uint64_t usual) {
    if (!chaos) return usual;
    if (next() % 4 == 0) return 1;
    constexpr unsigned kShortest = 8;  // 2^8 ticks
    unsigned longest = kShortest;
    while (longest < 63 && (std::uint64_t{2} << longest) <= usual) ++longest;
    const std::uint64_t below = std::uint64_t{1} << (kShortest + next() % (longest - kShortest + 1));
    return below + next() % below;
  }
  // What the count of a task begins with, so that its slices don't all end at the same places.
  std::uint64_t first_ticks() { return chaos ? next() % 256 : 0; }

  // After how many system calls a task that never waits gives way to others.
  std::uint32_t slice() {
    constexpr std::uint32_t kCalls = 200;
    if (chaos && next() % 4 == 0) return 1;
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
