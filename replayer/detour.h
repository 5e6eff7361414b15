// A way around an instruction, on which the task itself works out whether a breakpoint there is to stop it.
//
// Problem: a trap with a condition stops the task each time, and then its instruction must be stepped over: tens of
// microseconds for a condition that is false a million times. Solution: a jump in place of the instruction leads to
// code that saves all registers in the task's own area, works the condition out, restores them, executes the
// instruction, and jumps back; only where the condition may be true does it trap, with the registers of the program.
// The jump needs 5 bytes, so that following instructions may be displaced with the first. Nobody knows who else jumps
// to those, so they are where the jump's own bytes trap (as in the patcher's windows, tracee/patch/window.h): a task
// that comes there goes on in the displaced copy. Wherever a task is stopped on its way, it is set to the instruction
// of the program's that it was about to execute (machine.h). Rejected: an int3 with a handler in the task, since every
// signal stops a traced task; analysis of the module for whoever jumps where, which takes seconds and is never certain.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "format/regs.h"
#include "format/types.h"
#include "tracee/remote_memory.h"

namespace tmrec::replayer {

struct Detour {
  // A displaced instruction. The last one is where the detour leads back to, and what is behind.
  struct Copy {
    std::uint64_t original, at;
  };
  std::uint64_t place = 0;              // of the instruction, in the text or in a trampoline
  std::vector<std::uint8_t> displaced;  // whole instructions, at least kJump bytes
  std::vector<std::uint8_t> jump;       // what is there instead
  std::uint64_t at = 0;                 // of the code
  std::vector<std::uint8_t> code;
  std::vector<Copy> copies;
  std::uint64_t work = 0, worked = 0;  // where it works the condition out, and where that ends
  std::uint64_t asks = 0;              // where it traps when the condition may be true

  std::uint64_t end() const { return at + code.size(); }
  bool covers(std::uint64_t addr) const { return addr >= at && addr < end(); }
  // The instruction of the program's that is about to be executed at this address of the code.
  std::optional<std::uint64_t> original_of(std::uint64_t addr) const;
  // The copy of an instruction behind the first.
  std::optional<std::uint64_t> copy_of(std::uint64_t original) const;
};

inline constexpr std::size_t kJump = 5;
inline constexpr std::size_t kMostDisplaced = 32;  // bytes that make_detour looks at

// The least code there must be room for.
std::size_t size_of_detour(std::size_t condition);

// `bytes`: at the place. `condition`: gdbstub/agent_code.h. `at`: of the code, with kMostDisplaced bytes more than
// size_of_detour() says. nullopt: the instructions can't be displaced to there.
std::optional<Detour> make_detour(std::uint64_t place, std::span<const std::uint8_t> bytes,
                                  std::span<const std::uint8_t> condition, std::uint64_t at);

// Addresses for the code such that a jump from the place to there traps at each of its other bytes, those to be tried
// first in front. Below the place rather than above, and away from trampolines.
std::vector<std::uint64_t> addresses_for_detour(std::uint64_t place);

// The program's registers while the task works a condition out; rip: the place. nullopt: the area is not there.
std::optional<Regs> regs_in_detour(const Detour& detour, const tracee::RemoteMemory& memory, RemoteAddr area,
                                   const Regs& now);

}  // namespace tmrec::replayer
