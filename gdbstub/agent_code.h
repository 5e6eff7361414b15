// Agent expressions as machine code, for a program to work out on its way.
//
// Problem: a condition that is worked out elsewhere costs a stop of the program each time, tens of microseconds; false
// a million times, that is minutes. Solution: the expression becomes x86-64 code, operation by operation, on the
// machine's own stack. Rejected: an interpreter in the program's address space, which is more code for less speed.
//
// The code never loops: jumps lead forwards, or the expression is not for it. What it can't decide it leaves to
// evaluate() (agent_expression.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tmrec::gdbstub {

// What the code works with: rbx points to the registers rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp, r8 to r15, 64 bits
// each, and rsp to as much stack as kAgentCodeStack. It is entered at its first byte and left at its end, with rax,
// rcx, rdx, rsp and flags changed; rax: 0 when all expressions are false, else one is true, or evaluate() must say.
// Memory that is not there raises SIGSEGV.
inline constexpr std::size_t kAgentCodeRegisters = 16;
inline constexpr std::size_t kAgentCodeStack = 1024;  // bytes

// `rip`: of the program, where it stands. nullopt: one of them is none for code (unsound, loops, asks for other
// registers, or needs a deep stack).
std::optional<std::vector<std::uint8_t>> agent_code(const std::vector<std::string>& expressions, std::uint64_t rip);

}  // namespace tmrec::gdbstub
