// On which CPU a task may run (sched_setaffinity(2)).
#pragma once

#include <sys/types.h>

namespace tmrec::tracee {

// Confines a task (0: the caller) to one CPU. Whoever talks through ptrace stops is faster on one CPU than across two.
// False: there is no such CPU here, or the task may not use it.
bool pin_to_cpu(pid_t task, int number);

// The CPU the caller runs on.
int current_cpu_number();

}  // namespace tmrec::tracee
