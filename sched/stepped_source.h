// A tick source that does in software what a hardware counter does, to test recorder and replayer where there is none.
//
// It executes every instruction in a step of its own and counts conditional branches; its interrupts are real signals,
// and late by a random number of ticks. Thousands of times slower than a counter, but exact, so that every difference
// between a recording and its replay is a mistake of those.
#pragma once

#include "sched/ticks.h"

namespace tmrec::sched {

class SteppedSource final : public TickSource {
 public:
  static constexpr const char* kName = "stepped";

  std::string name() const override { return kName; }
  std::uint64_t skid_bound() const override { return 40; }
  Result<std::unique_ptr<TickCounter>> start(tracee::Stopped& task, Ticks from) override;
};

}  // namespace tmrec::sched
