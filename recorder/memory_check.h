// Hashes of what a program can write, to prove that a replay is the same run.
#pragma once

#include <vector>

#include "format/event.h"
#include "tracee/remote_memory.h"

namespace tmrec::recorder {

// Memory the kernel may be writing to now, for calls that wait.
struct AddressRange {
  RemoteAddr start, end;
};

// Ranges for every writable mapping of `tid`, in address order, without the pages that `in_flux` touches.
std::vector<CheckEvent::Range> hash_writable_memory(pid_t tid, const tracee::RemoteMemory& memory,
                                                    std::vector<AddressRange> in_flux);

}  // namespace tmrec::recorder
