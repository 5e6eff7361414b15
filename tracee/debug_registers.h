// A breakpoint on execution that changes no code: debug register 0 of one task (Intel SDM volume 3B, "Debug Registers";
// written through PTRACE_POKEUSER, arch/x86/kernel/ptrace.c). The kernel switches it with the task.
#pragma once

#include <optional>

#include "format/result.h"
#include "tracee/task_handle.h"

namespace tmrec::tracee {

// Replaces the one before; nullopt: none. It stops the task (SIGTRAP, TRAP_HWBKPT) before the instruction at the
// address, also when the task stands there already, unless RF is set in its flags. Machine: there is no debug register
// to be had (all in use, or a hypervisor without them). Throws TaskDied.
Result<void> set_breakpoint(const Stopped& task, std::optional<RemoteAddr> at);

}  // namespace tmrec::tracee
