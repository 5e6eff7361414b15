// Whether a running program can be recorded from now on, found out without touching it.
#pragma once

#include <sys/types.h>

#include <vector>

#include "format/result.h"

namespace tmrec::recorder {

// The processes to record: `root` and its descendants, parents first. Errors (Machine, Usage for a process that is not
// there) say what speaks against it: a process of it is traced already, is not a 64-bit program, has a seccomp filter
// (which would judge tmrec's calls), uses io_uring, userfaultfd or asynchronous I/O (whose memory the kernel writes at
// any time), or shares memory with a process outside that may write there.
Result<std::vector<pid_t>> examine(pid_t root);

}  // namespace tmrec::recorder
