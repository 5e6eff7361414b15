// A system call performed by a stopped task on the supervisor's behalf.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <vector>

#include "tracee/task_handle.h"

namespace tmrec::tracee {

// `gadget`: address of `syscall; int3` in the task. Changes rax, rcx, r11 and rip (and orig_rax); the caller restores
// what it needs. Returns the kernel's result (-errno on failure). Signals that arrive meanwhile are appended to
// `arrived` and not delivered. Throws TaskDied.
std::int64_t remote_call(Stopped& task, RemoteAddr gadget, std::int64_t number, std::initializer_list<std::uint64_t> args,
                         std::vector<siginfo_t>* arrived = nullptr);

}  // namespace tmrec::tracee
