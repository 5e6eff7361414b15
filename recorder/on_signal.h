// A service that runs untraced, at native speed, until somebody wants it to be recorded.
//
//   front      the process the user started, parent of the service: passes signals on, reaps (it may be process 1 of a
//              container), returns the service's exit status
//   recorder   at each trigger a child of the front, that attaches to the service (recorder.h) and ends
//
// Rejected: a supervisor that waits beside the service from the beginning. It would hold nothing that attaching does
// not find out anew.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "format/result.h"

namespace tmrec::recorder {

struct TriggeredService {
  std::vector<std::string> argv;
  int trigger = 0;  // signal
  // In a process of its own, at the trigger: records the process, calls `joined` once it is being recorded, and returns
  // the exit status. Further triggers count for nothing until the process has been let go; then, while the recording is
  // being finished, one is kept for afterwards.
  std::function<int(pid_t service, const std::function<void()>& joined)> record;
};

// Runs the service to its end. Returns its exit status, or 128+N after signal N. Errors: NotFound, NotExecutable,
// System.
Result<int> serve(const TriggeredService& service);

}  // namespace tmrec::recorder
