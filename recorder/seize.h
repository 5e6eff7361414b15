// Bringing the running tasks of a tree of processes to a stop, all of them, also those born meanwhile.
//
// Seizing a task does not stop it, so all are seized first and interrupted then, within microseconds of each other. A
// task may come to other stops before the one that was asked for; those let it go on as if nobody watched.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <vector>

#include "format/result.h"
#include "tracee/task_handle.h"

namespace tmrec::recorder {

struct SeizedTask {
  pid_t tid = 0, process = 0;
  tracee::Stop stop;  // EventStop or GroupStop; a call that this has interrupted waits on (tracee/interrupted.h)
  std::optional<tracee::Stopped> stopped;
  std::optional<std::chrono::nanoseconds> ran;  // last_ran() before it was interrupted

  explicit SeizedTask(pid_t task) : tid(task) {}
};

// Options of PTRACE_SEIZE for tasks that are recorded.
extern const long kTraceOptions;

// Errors (Machine) leave all tasks untouched and running. `patience`: for all of them to stop.
Result<std::vector<SeizedTask>> seize_and_stop(pid_t root, std::chrono::milliseconds patience);

// Lets them go on as they are.
void let_go(std::vector<SeizedTask>& tasks);

}  // namespace tmrec::recorder
