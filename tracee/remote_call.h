// A system call performed by a stopped task on the supervisor's behalf.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <vector>

#include "tracee/remote_memory.h"
#include "tracee/task_handle.h"

namespace tmrec::tracee {

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
