// A replayed task: data alone, so that it can be copied (and a counter, which can be made again).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "format/regs.h"
#include "format/types.h"
#include "replayer/space.h"
#include "sched/ticks.h"
#include "tracee/task_handle.h"

namespace tmrec::replayer {

struct Task {
  Tid tid;
  Tid process;
  std::shared_ptr<Space> space;
  std::optional<tracee::Stopped> stub;
  Regs regs;              // of the program, at its position
  bool in_call = false;   // stands in a call that has not returned
  bool restarts = false;  // its last call is made again unless a handler runs first
  bool extended_known = true;
  std::uint64_t last_event_ns = 0;  // when its last event was recorded
  RemoteAddr area;                  // the agent's, of this task; 0: ticks are not counted
  std::uint64_t counted_from = 0;   // ticks made plus ticks left
  // Of a trace whose ticks a counter counts; null: they are counted in the area.
  std::unique_ptr<sched::TickCounter> counter = {};
  bool counts() const { return counter != nullptr || area.value != 0; }
};

}  // namespace tmrec::replayer
