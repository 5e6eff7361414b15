// Code whose conditional branches are known, to test a counter with.
#pragma once

#include <cstdint>

namespace tmrec::sched {

// Each round has one conditional branch taken forward, one not taken and one taken backward (the last round's isn't),
// and among them a jump, an indirect jump, a call and a return, none of which may be counted.
inline constexpr std::uint64_t kPerRound = 3;

inline void run_branches(std::uint64_t rounds) {
  __asm__ volatile(
      "lea -128(%%rsp), %%rsp\n"  // past the red zone
      "1: xor %%eax, %%eax\n"
      "jz 2f\n"
      "nop\n"
      "2: jnz 3f\n"
      "jmp 3f\n"
      "nop\n"
      "3: lea 4f(%%rip), %%rdx\n"
      "jmp *%%rdx\n"
      "nop\n"
      "4: call 5f\n"
      "jmp 6f\n"
      "5: ret\n"
      "6: dec %[rounds]\n"
      "jnz 1b\n"
      "lea 128(%%rsp), %%rsp\n"
      : [rounds] "+r"(rounds)
      :
      : "rax", "rdx", "cc", "memory");
}

// Each round has a locked instruction, then three conditional branches that a rollback would count again.
inline constexpr std::uint64_t kPerLockedRound = 3;

inline void run_locked(std::uint64_t rounds, std::uint64_t* word) {
  __asm__ volatile(
      "1: lock incq (%[word])\n"
      "jz 2f\n"
      "2: test $1, %[rounds]\n"
      "jz 3f\n"
      "3: dec %[rounds]\n"
      "jnz 1b\n"
      : [rounds] "+r"(rounds)
      : [word] "r"(word)
      : "cc", "memory");
}

}  // namespace tmrec::sched
