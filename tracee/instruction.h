// Instructions whose result can't be repeated; the supervisor performs them. Where code is patched they lead to the
// agent, which asks. Elsewhere some trap: rdtsc and rdtscp under PR_TSC_SIGSEGV (prctl(2)), cpuid under ARCH_CPUID
// faulting (arch_prctl(2)).
#pragma once

#include <csignal>
#include <optional>

#include "format/event.h"
#include "tracee/patched_space.h"
#include "tracee/remote_memory.h"

namespace tmrec::tracee {

// Which of them, if any, raised this SIGSEGV (both faults are general protection: SI_KERNEL, no address).
std::optional<InstructionEvent::Kind> trapped_instruction(const siginfo_t& info, const Regs& regs,
                                                          const RemoteMemory& memory);

// The registers after the instruction, with this machine's values. Kinds Rdtsc, Rdtscp and Cpuid.
Regs perform(InstructionEvent::Kind kind, Regs regs);

// The agent asks about a special instruction of this module. `at_copy`: the task's registers, rip at the copy of the
// instruction. `tsc_faults`: the program wants rdtsc to fault. What this machine's CPU can't do, and what nobody should
// do for the program, is of kind Other.
InstructionEvent answer_special(const PatchedModule& module, const patch::Stop& stop, const Regs& at_copy,
                                bool tsc_faults);

// What executes at a place of this kind; Other, if no instruction of these.
InstructionEvent::Kind kind_of(patch::SiteKind kind);

const char* name_of(InstructionEvent::Kind kind);

}  // namespace tmrec::tracee
