// What a flight recorder keeps of the past: which starting points to take, and which parts of the log to drop.
//
// A part is the log from one starting point (StartEvent) to the next, with the snapshots of that point. Only whole
// parts are dropped, the oldest first. Starting points are taken at a quarter of what is asked, so that what is kept
// is up to a quarter longer; more of them would stop the program more often, fewer keep more than was asked.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>

#include "format/types.h"

namespace tmrec::recorder {

struct WindowSize {
  std::chrono::nanoseconds time{};  // 0: however long
  std::uint64_t bytes = 0;          // of log and snapshots, about; 0: however many
  std::uint64_t events = 0;         // a starting point at least every so many; 0: as the others say
};

class Window {
 public:
  using Time = std::chrono::nanoseconds;  // since the recording began

  // The log begins at its first event.
  explicit Window(const WindowSize& asked);

  struct Part {
    EventNo first;  // event
    Time began{};
    std::uint64_t log_at = 0;     // bytes of the log in front of it
    std::uint64_t segment = 1;    // 0: not known yet
    std::uint64_t snapshots = 0;  // bytes; a part whose are not written yet can't be begun from
    bool written = true;
    bool bridges = false;  // a gap: a replay that comes from before begins with its snapshots, too
  };

  // `log`: bytes of it so far, dropped ones included. Never before the last one can be begun from.
  bool due(Time now, std::uint64_t log, EventNo next) const;
  void begin(EventNo first, Time now, std::uint64_t log, bool bridges = false);
  void in_segment(EventNo first, std::uint64_t segment);
  void written(EventNo first, std::uint64_t snapshots);

  // Gives up parts that are not needed. The oldest one left, if there were any.
  std::optional<Part> drop(Time now, std::uint64_t log);

  const Part& oldest() const { return parts_.front(); }
  // Whether a later part begins with this event, which a replay passes by.
  bool is_passed_by(EventNo event) const;
  std::uint64_t held(std::uint64_t log) const;  // bytes

 private:
  static bool ready(const Part& part) { return part.segment != 0 && part.written; }
  Part* find(EventNo first);

  WindowSize asked_;
  std::deque<Part> parts_;  // at least one
};

}  // namespace tmrec::recorder
