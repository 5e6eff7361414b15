// How a recording is laid out in processes.
//
//   front       the process the user started: parent of the program, in the program's process group. It passes signals
//               on and returns the program's exit status, also when the supervisor has been killed.
//   supervisor  child of the front, in a process group of its own: traces the program. The terminal's signals, job
//               control stops and kill(0, …) of the program don't reach it.
//   program     child of the front, as it would be without tmrec.
//
// Rejected: a supervisor that is the program's parent. It would have to leave the program's process group or be hit by
// what is sent to it, and with it gone nobody could collect the program's exit status.
#pragma once

#include <sys/types.h>
#include <functional>
#include <string>
#include <vector>

#include "format/result.h"
#include "tracee/task_handle.h"

namespace tmrec::recorder {

// What the supervisor tells the front when it is done.
struct Report {
  bool started = false;  // the program reached its first instruction
  Error error;           // when not started
  std::uint64_t events = 0;
  std::string ended_early;
  bool as_asked = false;  // it ended early because somebody wanted it to
  std::string keep;       // Outcome::keep
  int status = -1;        // of a program that is not the front's child, as wait(2) gives it; -1: it lives
};

struct Launched {
  Report report;
  int status = 0;  // of the program, as wait(2) gives it; meaningful when report.started
  bool supervisor_died = false;
};

// Runs `supervise` in the supervisor process, with the program's first process standing at the exit stop of its execve.
// Returns in the front when program and supervisor have ended.
// A signal `trigger` to the front, unless that is 0, is passed on to the supervisor (ask_to_save()) instead.
Result<Launched> launch(const std::vector<std::string>& argv,
                        const std::function<Report(pid_t program, tracee::Stopped first)>& supervise, int trigger = 0);

// The same for a program that runs already. Signals that would end the front (SIGINT, SIGTERM, SIGHUP, SIGQUIT) tell
// the supervisor to end the recording, and so does the front's death. `rescue` is called when the supervisor was
// killed.
Result<Launched> launch_beside(const std::function<Report()>& supervise, const std::function<void()>& rescue,
                               int trigger = 0);

}  // namespace tmrec::recorder
