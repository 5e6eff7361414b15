// Letting go of an attached program, so that it cannot tell afterwards: its code, its vdso, the settings of its tasks,
// its address space and its waiting calls are what they were. The same for a recording that ends and for the front
// process, when the supervisor was killed; the latter knows less (no map of the trampolines), so there tasks stay in
// trampolines, which keep working, and the memory that tmrec mapped stays.
#pragma once

#include <csignal>
#include <vector>

#include "recorder/ledger.h"
#include "tracee/patched_space.h"
#include "tracee/remote_memory.h"
#include "tracee/stop.h"
#include "tracee/task_handle.h"

namespace tmrec::recorder {

// A task that stands in `stop`.
struct LeavingTask {
  tracee::Stopped* task = nullptr;
  tracee::Stop stop;
  OwnSettings own;
  std::chrono::nanoseconds waited{};  // how long it had waited in its call
  std::vector<siginfo_t> kept;        // signals to be sent to it again
  std::vector<pid_t> children;        // that are its process's, made by tmrec and dead (space_copy.h)
  int signal = 0;                     // out: what to detach it with
  // Set on the way.
  Regs goal;
  bool stays = false;  // in code of tmrec's, that must remain
  bool gone = false;
};

// All of an address space that can be stopped; `complete`: there are no others. `patches`: nullptr where they are not
// known. Afterwards the tasks are to be detached with `signal`.
void give_back(std::vector<LeavingTask*>& tasks, const tracee::PatchedSpace* patches, bool complete,
               bool cpuid_trapped);

}  // namespace tmrec::recorder
