// Tasks that a tracer's stop has woken from a system call.
//
// Most calls return a code that makes the kernel perform them again, unless a handler runs first (the kernel's
// include/linux/errno.h). It does so when it looks at the registers on its way back to the program. Some return EINTR
// instead, which without a tracer only a handler would have caused: they are made to look like the others.
#pragma once

#include <chrono>
#include <optional>
#include <vector>

#include "tracee/task_handle.h"

namespace tmrec::tracee {

// When the task was last given a CPU, on a clock of that CPU; nullopt where the kernel does not say (/proc/TID/sched).
std::optional<std::chrono::nanoseconds> last_ran(pid_t tid);

// A task stopped by PTRACE_INTERRUPT, `waited` after it had begun to wait: if its call was ended with EINTR, it is one
// that waits on, for what is left of a time-out that stands in a register (epoll_wait(2)). Calls whose time-out is in
// memory (semtimedop, rt_sigtimedwait, epoll_pwait2, a socket's) wait for all of it again.
void wait_on(Regs& regs, std::chrono::nanoseconds waited);

// Whether these are registers with which the kernel makes a call again.
bool is_interrupted(const Regs& regs);

// What the program has in its registers when the kernel has done so: in front of the call.
Regs restarted(const Regs& regs);

// Brings a task, stopped anywhere but at the entry of a call, to where the kernel looks at its registers before it goes
// on, and sets them. What is there meanwhile: `restarted(regs)`. The stop: EventStop or GroupStop. Throws TaskDied.
Stop stand_interrupted(Stopped& task, const Regs& regs, std::vector<siginfo_t>& arrived);

}  // namespace tmrec::tracee
