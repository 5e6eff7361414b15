// A replay session: rebuilds the recorded processes from the trace and executes the same run again. No system call of
// the program is performed except memory management.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "format/event.h"
#include "format/result.h"

namespace tmrec::replayer {

struct Options {
  std::filesystem::path trace;
  std::filesystem::path blobs;
  bool echo = false;                                        // repeat the program's standard output and error on ours
  std::function<void(EventNo now, EventNo last)> progress;  // called now and then; last is 0 when unknown
};

// The first difference between the recording and the replay.
struct Desync {
  EventNo event;
  Tid task;
  std::string what;     // one line: expected and actual
  std::string context;  // several lines: registers that differ, the events around
};

struct Outcome {
  int exit_status = 0;       // of the recorded program, as record returned it
  std::uint64_t events = 0;  // replayed
  bool complete = false;     // the trace holds the run to the program's end
  std::string ended_early;   // why the recording stopped early, if it did
  std::optional<Desync> desync;
};

Result<Outcome> replay(const Options& options);

}  // namespace tmrec::replayer
