// What a seccomp filter that a program is about to set up would do to a call that tmrec has taken back.
//
// Problem: a call that is not performed gets the number -1, and a filter judges that, too. One that kills what it does
// not know would kill a program that it does not kill without tmrec. Solution: the filter is run here, for that number,
// before it is in force; where it kills or raises a signal, the recording ends in front of it.
// Rejected: PTRACE_SYSEMU, whose calls no filter sees: a killed supervisor would leave each of them undone.
#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <optional>
#include <span>

#include "tracee/remote_memory.h"

namespace tmrec::recorder {

// What the filter returns for a call of 64-bit code with this number and arguments of 0 (SECCOMP_RET_*, with its data);
// nullopt: it is none that a kernel takes.
std::optional<std::uint32_t> run_filter(std::span<const sock_filter> program, std::int32_t number);

// Whether this call, if it succeeds, makes a call of the number -1 fatal, or a signal: seccomp(2), prctl(2).
bool makes_taken_back_calls_fatal(std::int64_t number, std::span<const std::uint64_t> args,
                                  const tracee::RemoteMemory& memory);

}  // namespace tmrec::recorder
