// The state of a program at its first instruction: what the kernel and the ELF loader made of it. Replay starts here.
#pragma once

#include "format/snapshot.h"
#include "recorder/session.h"

namespace tmrec::recorder {

// The task stands at the exit stop of a successful execve. Patches the vdso or hides it, and fills in the space's
// gadget.
void prepare_vdso(pid_t pid, const tracee::Stopped& task, AddressSpace& space, Session& session);
// After that.
Result<Snapshot> take_exec_snapshot(pid_t pid, const tracee::Stopped& task, AddressSpace& space, Session& session);

}  // namespace tmrec::recorder
