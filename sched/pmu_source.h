// The tick source that counts conditional branches in hardware: PmuCounter for the count, debug registers and single
// steps for the arrival (counted_task.h).
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "sched/pmu_counter.h"
#include "sched/pmu_events.h"
#include "sched/ticks.h"

namespace tmrec::sched {

class PmuSource final : public TickSource {
 public:
  // As chosen by choose_tick_source. Tasks must run on the device's CPUs alone.
  PmuSource(std::string name, PmuDevice device, PmuEvent event);

  std::string name() const override { return name_; }
  std::uint64_t skid_bound() const override { return event_.skid_bound; }
  Result<std::unique_ptr<TickCounter>> start(tracee::Stopped& task, Ticks from) override;

 private:
  std::string name_;
  PmuDevice device_;
  PmuEvent event_;
};

// The count of one task, with an open hardware counter.
class PmuTicks final : public TickCounter {
 public:
  PmuTicks(PmuCounter counter, Ticks from, std::uint64_t skid_bound)
      : counter_(std::move(counter)), from_(from), skid_bound_(skid_bound) {}

  Result<Ticks> read() override;
  Result<void> interrupt_after(std::uint64_t ticks) override { return counter_.interrupt_after(ticks); }
  bool is_interrupt(const siginfo_t& info) const override { return counter_.raised(info); }
  Arrival arrive(TaskControl& task, const TickTarget& target) override;

 private:
  PmuCounter counter_;
  Ticks from_;
  std::uint64_t skid_bound_;
};

}  // namespace tmrec::sched
