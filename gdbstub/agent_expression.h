// Agent expressions: what a client sends for somebody else to work out next to the program (GDB manual, appendix "The
// GDB Agent Expression Mechanism"), as conditions of breakpoints.
//
// The bytes come from a client, which is not to be trusted: any bytes are worked out in bounded time, or fail.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

namespace tmrec::gdbstub {

// What an expression is about.
struct AgentContext {
  // By the number that the description of the registers gives it; nullopt: there is none, or it has more than 64 bits.
  std::function<std::optional<std::uint64_t>(std::size_t number)> get_register;
  // `size` bytes (1 to 8), least significant first; nullopt: no memory there.
  std::function<std::optional<std::uint64_t>(std::uint64_t address, std::size_t size)> read_memory;
};

inline constexpr std::size_t kMaxAgentExpression = 4096;  // bytes

// The value on top when the expression ends. nullopt: it is not sound, asks for what is not there or not known here
// (floating point, tracing), divides by zero, or goes on for too long.
std::optional<std::uint64_t> evaluate(std::string_view expression, const AgentContext& context);

}  // namespace tmrec::gdbstub
