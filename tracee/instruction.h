// Instructions that trap because their result can't be repeated: rdtsc and rdtscp under PR_TSC_SIGSEGV (prctl(2)),
// cpuid under ARCH_CPUID faulting (arch_prctl(2)). The supervisor performs them.
#pragma once

#include <csignal>
#include <optional>

#include "format/event.h"
#include "tracee/remote_memory.h"

namespace tmrec::tracee {

// Which of them, if any, raised this SIGSEGV (both faults are general protection: SI_KERNEL, no address).
std::optional<InstructionEvent::Kind> trapped_instruction(const siginfo_t& info, const Regs& regs,
                                                          const RemoteMemory& memory);

// The registers after the instruction, with this machine's values.
Regs perform(InstructionEvent::Kind kind, Regs regs);

}  // namespace tmrec::tracee
