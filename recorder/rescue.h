// What `tmrec record` does for a program whose supervisor was killed.
//
// The problem: the trap on rdtsc is a property of each task, inherited by its children and kept over execve. The
// program itself has a patched vdso and seldom executes rdtsc, but the dynamic loader of every program that it starts
// does, and would die of SIGSEGV. And threads that it creates would count ticks in their creator's area. The solution:
// the front process, which outlives the supervisor, attaches to what is left of the recording for a moment, undoes all
// patches and has each task take its trap off (recorder/give_back.h). Tasks are found as descendants of the program,
// and as processes without address randomisation, untraced and younger than the front: such a process of somebody else
// only gets what it has already. Rejected: a table of tasks in memory shared with the supervisor, which a kill may
// leave half-written.
#pragma once

#include <sys/types.h>

#include <optional>

namespace tmrec::recorder {

// `program`: the recording's first process, a child of the calling process. Its wait status, when it ended meanwhile.
std::optional<int> rescue_tasks(pid_t program);

class Ledger;
// The same for programs that were attached to, whose tasks get back what the ledger says (give_back.h).
void rescue_attached(const Ledger& ledger);

}  // namespace tmrec::recorder
