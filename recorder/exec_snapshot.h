// The state of a program at its first instruction (what the kernel and the ELF loader made of it) or later. Replay
// starts here.
#pragma once

#include "format/snapshot.h"
#include "recorder/session.h"
#include "recorder/space_copy.h"
#include "tracee/proc.h"

namespace tmrec::recorder {

// The task stands at the exit stop of a successful execve. Patches the vdso or hides it, and fills in the space's
// gadget.
void prepare_vdso(pid_t pid, const tracee::Stopped& task, AddressSpace& space, Session& session);
// After that; or of a program in the middle of its life, all of whose tasks are stopped: shared memory is stored anew;
// or in the middle of its recording, as the program knows it, without what tmrec has mapped or changed.
enum class SnapshotOf { Exec, Life, Middle };
Result<Snapshot> take_snapshot(pid_t pid, const tracee::Stopped& task, AddressSpace& space, Session& session,
                               SnapshotOf what, SpaceCopy* copy = nullptr);

// The same without registers, by any task of the process. With a copy of the space, private memory is left for it to
// fill in (SpaceCopy::fill).
Result<Snapshot> take_memory(pid_t tid, AddressSpace& space, Session& session, SnapshotOf what,
                             SpaceCopy* copy = nullptr);

// What fork is to do with pieces of memory.
std::vector<AttachEvent::ForkAdvice> fork_advice(pid_t tid);

// A path under which the supervisor can open the file that `map` of the process shows, or an empty string.
std::string reachable_path(pid_t pid, const tracee::MapsLine& map);

}  // namespace tmrec::recorder
