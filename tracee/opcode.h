// What matters of an instruction when it is executed in a single step.
#pragma once

#include <cstdint>

#include "format/regs.h"
#include "tracee/remote_memory.h"

namespace tmrec::tracee {

// Intel SDM volume 2, chapter 2 and table A-2.
struct Opcode {
  enum class Kind : std::uint8_t {
    Plain,
    Call,        // syscall, sysenter, int 80h
    Repeated,    // a string instruction with a repeat prefix, which a single step leaves in its middle
    PushFlags,   // shows the trap flag that makes the step
    Conditional  // a conditional branch, also loop and jrcxz
  } kind = Kind::Plain;
  std::uint64_t length = 0;  // Repeated
};

Opcode opcode_at(const RemoteMemory& memory, std::uint64_t rip);

// What the task does when it is resumed: this instruction, or a system call that is made again (signal(7)), by stepping
// back onto its instruction. Then a single step would make the call unseen.
Opcode upcoming(const RemoteMemory& memory, const Regs& regs);

// Behind a step over PushFlags: the kernel hides its trap flag from everyone but this instruction. Not for a program
// that has set the flag itself.
void take_back_trap_flag(const RemoteMemory& memory, const Regs& after);
inline constexpr std::uint64_t kTrapFlag = 0x100;

}  // namespace tmrec::tracee
