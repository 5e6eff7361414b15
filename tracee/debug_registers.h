// Debug registers of one task (Intel SDM volume 3B, "Debug Registers"; written through PTRACE_POKEUSER,
// arch/x86/kernel/ptrace.c): a breakpoint on execution that changes no code, and watchpoints on data. The kernel
// switches them with the task.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "format/result.h"
#include "tracee/task_handle.h"

namespace tmrec::tracee {

// Replaces the one before; nullopt: none. It stops the task (SIGTRAP, TRAP_HWBKPT) before the instruction at the
// address, also when the task stands there already, unless RF is set in its flags. Machine: there is no debug register
// to be had (all in use, or a hypervisor without them). Throws TaskDied.
Result<void> set_breakpoint(const Stopped& task, std::optional<RemoteAddr> at);

inline constexpr std::size_t kDebugRegisters = 4;

// A naturally aligned piece of memory.
struct WatchedWord {
  RemoteAddr at;
  std::uint8_t size = 8;    // 1, 2, 4 or 8
  bool writes_only = true;  // else reads, too
};

// Replaces all debug registers; kDebugRegisters words at most. An access traps behind its instruction (SIGTRAP,
// TRAP_HWBKPT), one of a repeated string instruction behind its round or a few later. Machine: as set_breakpoint.
Result<void> set_watches(const Stopped& task, std::span<const WatchedWord> words);
// Whether an access was watched since the last call: bit N is the Nth word.
std::uint32_t take_watched(const Stopped& task);
// The same, and the next call says so again.
std::uint32_t watched(const Stopped& task);

}  // namespace tmrec::tracee
