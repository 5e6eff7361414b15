// The tick source that counts conditional branches in hardware: PmuCounter for the count, debug registers and single
// steps for the arrival.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "sched/arrival.h"
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

// A traced task and its counter as an ArrivalMachine. System calls are seen before they are made and never performed.
class PmuMachine {
 public:
  PmuMachine(TaskControl& task, PmuCounter& counter, Ticks from);
  // Takes the breakpoint away and gives the signal mask back; kCounterSignal is not blocked while it lives.
  ~PmuMachine();
  PmuMachine(const PmuMachine&) = delete;
  PmuMachine& operator=(const PmuMachine&) = delete;

  Result<Ticks> ticks();
  Regs regs();
  std::optional<std::uint64_t> word(RemoteAddr at);
  Result<void> interrupt_after(std::uint64_t ticks);
  ArrivalStop run(std::optional<RemoteAddr> breakpoint);
  ArrivalStop step();

 private:
  bool set_breakpoint(std::optional<RemoteAddr> at);
  bool before_system_call();
  ArrivalStop decode(const tracee::Stop& stop);

  TaskControl& task_;
  PmuCounter& counter_;
  Ticks from_;
  std::uint64_t mask_;
  std::optional<RemoteAddr> breakpoint_;
};

}  // namespace tmrec::sched
