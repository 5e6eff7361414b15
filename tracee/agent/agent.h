// The agent: code in a recorded address space that patched code goes to, as its supervisor sees it.
//
// Problem: patched code must find a counter of its own task, and a way to a supervisor, in any program: static, Go,
// without libc, whatever it does with its registers; and system calls should cost no stop. Solution: one region at a
// fixed address, mapped when a program starts (layout.h); each task's %gs points to its area there (no 64-bit program
// of Linux needs %gs; one that sets it is noticed). Rejected: thread-local storage of the program's libc, which not
// every program has; a preloaded library, which static programs don't take.
#pragma once

#include <csignal>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "format/regs.h"
#include "format/types.h"
#include "tracee/agent/layout.h"
#include "tracee/patched_space.h"
#include "tracee/remote_memory.h"

namespace tmrec::agent {

// Moves with every change of the region's layout or of what its code does.
inline constexpr std::uint32_t kAbi = 7;

constexpr bool overlaps(std::uint64_t start, std::uint64_t end) { return start < kEnd && end > kBase; }
constexpr RemoteAddr area(std::size_t index) { return RemoteAddr(kAreas + index * kAreaSize); }
constexpr bool is_area(std::uint64_t addr) {
  return addr >= kAreas && addr < kRing && (addr - kAreas) % kAreaSize == 0;
}
constexpr std::size_t index_of_area(RemoteAddr area) { return (area.value - kAreas) / kAreaSize; }
constexpr bool is_code(std::uint64_t addr) { return addr >= kCode && addr < kCode + kCodeSize; }

inline constexpr int kSetSyscallUserDispatch = 59;  // PR_SET_SYSCALL_USER_DISPATCH, prctl(2); Linux 5.11

// What of the region is executed, and never written to by the program.
inline constexpr std::uint64_t kExecutable = kFds - kBase;

// Fills in the entry points once the region is mapped (any protection will do). False: the memory is not there.
bool install(const tracee::RemoteMemory& memory);
// Fills in the rest, without which no area may be set to `buffers`.
bool install_calls(const tracee::RemoteMemory& memory);
// Makes an area ready for a task, its counter at `ticks`, its calls all the supervisor's.
bool prepare_area(const tracee::RemoteMemory& memory, RemoteAddr area, std::uint64_t ticks);
bool set_conduct(const tracee::RemoteMemory& memory, RemoteAddr area, const Conduct& conduct);
// Every task of the space makes its calls itself from now on.
void stand_down(const tracee::RemoteMemory& memory);

// Addresses in the agent's code.
const Directory& directory();
// As it lies at kCode, the directory first.
std::span<const std::uint8_t> all_code();

// Tasks are only stopped at ticks that are multiples of this. A counter's low byte is then the same at recording and at
// replay whatever the two count down to, and with it the flags that counting leaves behind: they are dead where ticks
// are counted, but a program may still save them somewhere (pushf, a system call's r11).
inline constexpr std::uint64_t kStopEvery = 256;
constexpr std::uint64_t next_stop(std::uint64_t ticks) { return (ticks + kStopEvery - 1) & ~(kStopEvery - 1); }

std::optional<std::uint64_t> counter(const tracee::RemoteMemory& memory, RemoteAddr area);
bool set_counter(const tracee::RemoteMemory& memory, RemoteAddr area, std::uint64_t ticks);

// Signals that the supervisor keeps back from the task; agent::kMostKept of them at most are noted.
void note_kept(const tracee::RemoteMemory& memory, RemoteAddr area, std::span<const siginfo_t> signals);
std::vector<siginfo_t> kept(const tracee::RemoteMemory& memory, RemoteAddr area);

// Address of a syscall instruction behind which the task, left alone, goes back to the saved registers.
RemoteAddr call_address();
// Where it makes the calls that Area::script holds, to ask behind them.
RemoteAddr script_address();
// Everything for the task to make such calls, ended by kEndOfScript: what it goes back to, Syscall User Dispatch
// switched on, and the calls. False: the memory is not there. Its conduct is none of its own afterwards.
bool prepare_script(const tracee::RemoteMemory& memory, RemoteAddr area, const Regs& regs,
                    std::span<const ScriptCall> calls);
// False: the memory is not there.
bool save_regs(const tracee::RemoteMemory& memory, RemoteAddr area, const Regs& regs);
// Where a task that was left alone behind that call, and is still on its way back, goes back to; nullopt: it is not
// there.
std::optional<Regs> way_back(const tracee::RemoteMemory& memory, RemoteAddr area, const Regs& regs);

// What a task, stopped at a system call or at the SIGSYS in its place, asks with it.
enum class Question {
  None,
  Tick,
  Special,   // to perform an instruction
  Call,      // to let it make the call at Asked::regs.rip
  Returned,  // it has made a call, and was to ask
  Baton,     // of the baton and of room in the ring; goes on within the agent: a call that waits begins, or has returned
  Script,    // it has made the calls that it was to make
};
Question question_of(const Regs& at_call);

// The program's state behind a question.
struct Asked {
  Regs regs;  // at kResume
  std::uint64_t block = 0;
  std::uint32_t stop = 0;  // Tick, Special: index into the plan's stops
  Conduct conduct = {};
};
// What a task has when nobody answers; nullopt: it asks nothing.
std::optional<Asked> unanswered(const tracee::RemoteMemory& memory, RemoteAddr area, const Regs& at_call);
// The same, with the flags of a tick as if the counter had not become 0.
std::optional<Asked> program_state(const tracee::RemoteMemory& memory, const tracee::PatchedSpace& patches,
                                   RemoteAddr area, const Regs& at_call);

// The program's registers as if it had made itself the call that the agent makes for it without the baton; nullopt: the
// agent makes none such. `begun`: it is known that it was about to, with the call's record made. A call that has not
// been made by the time, or that was interrupted, is one that the kernel makes again.
std::optional<Regs> out_of_wait(const tracee::RemoteMemory& memory, RemoteAddr area, const Regs& regs,
                                bool begun = false);
// A task that is to look again whether it is asked goes on from there.
std::optional<RemoteAddr> before_commit(std::uint64_t rip);

// Whether a task whose calls the agent performs is within it and will yet look whether it is to ask. It may have read
// its counter for the record of a call: that must not be changed now.
bool will_look(std::uint64_t rip);

// The SIGSYS of Syscall User Dispatch.
bool is_dispatch(const siginfo_t& info);

// The end of a copy that met a bad address, if the task stands in one.
std::optional<RemoteAddr> failed_copy(std::uint64_t rip);

}  // namespace tmrec::agent
