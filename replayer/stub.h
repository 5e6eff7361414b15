// Stub processes: what a recorded program runs in at replay. A stub has nothing of its own but one page with the
// instructions for remote calls; its memory is built from snapshots, and its system calls are emulated.
//
// It starts as a fork of the replayer that is emptied. Rejected: executing a small program instead, which would have to
// be found on disk and brings a stack, a vdso and a heap that must be removed all the same.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "format/result.h"
#include "tracee/remote_memory.h"
#include "tracee/task_handle.h"

namespace tmrec::replayer {

// Away from where programs, libraries and runtimes map things, and in what sanitizers leave to the program
// (ThreadSanitizer maps all the rest: compiler-rt's tsan_platform.h, msan.h). Below position independent programs,
// which begin at 0x5555'5555'4000 (ELF_ET_DYN_BASE, arch/x86/include/asm/elf.h). Part of the address space of every
// stub, and not of any recorded program; a trace that maps it can't be replayed.
inline constexpr std::uint64_t kStubPage = 0x5501'0000'0000;
inline constexpr std::uint64_t kStubSize = 0x2000;
inline constexpr RemoteAddr kStubGadget{kStubPage};            // syscall; int3
inline constexpr RemoteAddr kStubScratch{kStubPage + 0x1000};  // for paths

// A new, empty stub, stopped. It dies with the replayer.
// `trap_cpuid`: cpuid faults in it, where this machine's CPU can do that.
Result<tracee::Stopped> new_stub(bool trap_cpuid);

// Another task in the stub of `parent`: a thread that shares its memory, or a process with a copy.
Result<tracee::Stopped> clone_stub(tracee::Stopped& parent, bool shares_memory);

// A copy of the process that the task belongs to, with this one thread. Its parent is the task's parent.
Result<tracee::Stopped> fork_stub(tracee::Stopped& task);

// Ends one task of a stub.
void end_stub(tracee::Stopped task);

// Runs the task until its next stop; nullopt, and the task interrupted, when it has used more than `limit` of CPU time
// before (noticed while a Heartbeat lives, within a second).
// The same when `give_up`, asked whenever the Heartbeat is felt, says so.
std::optional<tracee::Stop> run_stub(tracee::Stopped& task, tracee::Resume how, std::chrono::nanoseconds limit,
                                     const std::function<bool()>& give_up = {});

// A stop that says nothing of the task but that it was interrupted, whatever signal it is said with.
constexpr bool is_interruption(const tracee::Stop& stop) {
  return stop.kind == tracee::Stop::Kind::EventStop || stop.kind == tracee::Stop::Kind::GroupStop;
}

std::int64_t call_in_stub(tracee::Stopped& task, std::int64_t number, std::initializer_list<std::uint64_t> args);

// A descriptor in the stub of a file the replayer has open; closed by the caller, in the stub.
Result<int> open_in_stub(tracee::Stopped& task, const tracee::RemoteMemory& memory, int fd, int flags);

}  // namespace tmrec::replayer
