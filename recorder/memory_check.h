// Hashes of what a program can write, to prove that a replay is the same run.
#pragma once

#include <vector>

#include "format/event.h"
#include "tracee/remote_memory.h"

namespace tmrec::recorder {

// One range for every writable mapping of `tid`, in address order.
std::vector<CheckEvent::Range> hash_writable_memory(pid_t tid, const tracee::RemoteMemory& memory);

}  // namespace tmrec::recorder
