// The files of a flight recorder: the trace that is being written, of which parts are dropped, and the traces that are
// saved from it.
//
// The log goes on from part to part without a gap, so a saved trace is the oldest starting point that is kept with
// everything after it; later starting points are passed by. Saving costs no copying: what is written is linked into
// the new trace, and the log goes on in a new segment. Rejected: letting go of the program and attaching anew for each
// part, which loses what happens in between, and makes each part a trace of its own.
#pragma once

#include <atomic>
#include <filesystem>
#include <future>
#include <mutex>
#include <string>
#include <vector>

#include "format/log.h"
#include "format/manifest.h"
#include "format/trace_dir.h"
#include "recorder/recorder.h"
#include "recorder/window.h"

namespace tmrec::recorder {

class Ring {
 public:
  // Both outlive it.
  Ring(RingOptions options, const TraceDir& trace, LogWriter& log);
  ~Ring();
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  bool due(Window::Time now);
  // The next event will be a starting point's.
  void begin(Window::Time now, bool bridges = false);
  // Its snapshots are written, with `bytes`; called by any thread.
  void written(EventNo first, std::uint64_t bytes);
  // Removes what is too old.
  void drop(Window::Time now);

  // Saves what is kept up to now as a trace of its own, in the background. False: another is still being saved.
  bool save(const std::string& reason, Window::Time now, Manifest manifest);
  // At the end: what was asked to be saved is, and the trace holds what its replay needs. What went wrong, or an empty
  // string.
  std::string finish();
  // How far back what is kept goes.
  Window::Time covered(Window::Time now);
  EventNo first_event();
  std::uint64_t held();

 private:
  std::string await();
  bool is_needed(EventNo snapshot);
  Result<void> fill(const std::filesystem::path& target, const Window::Part& from, const LogPlace& end,
                    const std::string& reason, std::uint64_t time_ns, Manifest manifest);

  RingOptions options_;
  const TraceDir& trace_;
  LogWriter& log_;
  std::mutex mutex_;  // of the window
  Window window_;
  std::future<Result<void>> saving_;
  std::string failure_;
};

}  // namespace tmrec::recorder
