// Whoever wants more of a replay than its end decides how a task gets to its next event: straight on, in steps, with
// breakpoints; and can leave it on the way.
#pragma once

#include "format/result.h"
#include "replayer/patience.h"
#include "replayer/task.h"
#include "tracee/stop.h"

namespace tmrec::replayer {

class Session;

// Thrown by RunControl::run, through whatever was about to be applied, up to Session::advance: the task stands still on
// the way to its event, which is applied from its beginning when the session goes on.
struct Paused {};

class RunControl {
 public:
  virtual ~RunControl() = default;
  // Runs the task from `task.regs` until a stop that its next event can be made of; `task.regs` is where it stands
  // then. `limit`: CPU time it may take.
  virtual Result<tracee::Stop> run(Session& session, Task& task, Nanoseconds limit) = 0;
};

}  // namespace tmrec::replayer
