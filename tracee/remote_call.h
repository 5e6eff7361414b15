// A system call performed by a stopped task on the supervisor's behalf.
//
// The problem: meanwhile the program's registers are nowhere but in the supervisor, which may be killed. The solution,
// in recorded tasks: they are saved in the task's memory, and the code behind the call goes back to them by itself. A
// task at its program's first instruction, before it has an area to save them in, needs no registers but rip, rsp and a
// rdx of 0 (System V ABI 3.4.1). Stubs of a replay die with their supervisor, and use the quicker form.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <vector>

#include "tracee/remote_memory.h"
#include "tracee/task_handle.h"

namespace tmrec::tracee {

// In a recorded task. `gadget`: for tasks without an area of the agent's: of a patched vdso, for a task at its
// program's first instruction, or a room for calls (call_room.h). Registers, results and signals as below. Throws
// TaskDied.
std::int64_t recorded_call(Stopped& task, const RemoteMemory& memory, RemoteAddr gadget, std::int64_t number,
                           std::initializer_list<std::uint64_t> args, std::vector<siginfo_t>* arrived = nullptr);

// A copy-on-write child of the task's process, which stands still where it was born and dies with the supervisor. It
// shares descriptors and directories with its parent, which gets no signal when the child dies, and sees it only in
// wait(2) calls with __WALL or __WCLONE; after its death somebody has to wait for it there (with __WCLONE). `vdso`,
// `size`: the mapping; `gadget`: a room for calls, where the task has no area. Throws TaskDied.
struct Forked {
  pid_t pid = 0;           // as the supervisor knows it
  pid_t known_as = 0;      // as its parent does
  std::int64_t error = 0;  // pid == 0: -errno, or 0 for a place or a tracer that was refused
};
Forked recorded_fork(Stopped& task, const RemoteMemory& memory, RemoteAddr vdso, std::uint64_t size, RemoteAddr gadget,
                     std::vector<siginfo_t>* arrived = nullptr);

// -errno
constexpr bool is_error(std::int64_t result) { return result < 0 && result > -4096; }

struct WantedCall {
  std::uint64_t number = 0;
  std::array<std::uint64_t, 6> args{};
};

// Several at once, by the agent, up to the first that fails: one stop for all. At most agent::kMostScriptCalls.
// Precondition: the task has an area, its agent is whole, SIGSYS is not blocked; Syscall User Dispatch is on, or one of
// the calls switches it on. The task stands at a SIGSYS afterwards, and its registers are what they were, but for what
// the calls have changed in segment bases; its conduct has to be set. Gives the results of those that were made. Throws
// TaskDied.
std::vector<std::int64_t> recorded_calls(Stopped& task, const RemoteMemory& memory, std::span<const WantedCall> calls,
                                         std::vector<siginfo_t>& arrived);

// `gadget`: address of `syscall; int3` in the task. Changes rax, rcx, r11 and rip (and orig_rax); the caller restores
// what it needs. Returns the kernel's result (-errno on failure). Signals that arrive meanwhile are appended to
// `arrived` and not delivered. Throws TaskDied.
std::int64_t remote_call(Stopped& task, RemoteAddr gadget, std::int64_t number,
                         std::initializer_list<std::uint64_t> args, std::vector<siginfo_t>* arrived = nullptr);

// Sends signals to the task by the task itself, which alone may give them any siginfo (rt_tgsigqueueinfo(2)). All are
// blocked meanwhile, so they arrive later: those that the task does not block, once it has been resumed. Memory below
// the stack is used and left as it was; registers change as by remote_call. Throws TaskDied.
void queue_signals(Stopped& task, const RemoteMemory& memory, RemoteAddr gadget, const std::vector<siginfo_t>& signals);

}  // namespace tmrec::tracee
