// A traced task and its counter as an ArrivalMachine. System calls are seen before they are made and never performed.
#pragma once

#include <optional>
#include <vector>

#include "sched/arrival.h"
#include "sched/ticks.h"

namespace tmrec::sched {

class CountedTask {
 public:
  CountedTask(TaskControl& task, TickCounter& counter) : task_(task), counter_(counter) {}
  // Takes the breakpoint away.
  ~CountedTask();
  CountedTask(const CountedTask&) = delete;
  CountedTask& operator=(const CountedTask&) = delete;

  Result<Ticks> ticks() { return counter_.read(); }
  Regs regs() { return task_.stopped().regs(); }
  std::optional<std::uint64_t> word(RemoteAddr at) { return task_.memory().get<std::uint64_t>(at); }
  Result<void> interrupt_after(std::uint64_t ticks) { return counter_.interrupt_after(ticks); }
  ArrivalStop run(std::optional<RemoteAddr> breakpoint);
  // A string instruction with a repeat prefix is one step.
  ArrivalStop step();

  // The signals from elsewhere that were stops here.
  std::vector<siginfo_t> take_held() { return std::exchange(held_, {}); }

 private:
  bool set_breakpoint(std::optional<RemoteAddr> at);
  ArrivalStop over_repeated(std::uint64_t behind);
  ArrivalStop decode(const tracee::Stop& stop);

  TaskControl& task_;
  TickCounter& counter_;
  std::optional<RemoteAddr> breakpoint_;
  std::vector<siginfo_t> held_;
};

static_assert(ArrivalMachine<CountedTask>);

// TickCounter::arrive for a counter that interrupts by kCounterSignal, which is not blocked meanwhile.
Arrival bring_to(TaskControl& task, TickCounter& counter, const TickTarget& target, std::uint64_t skid_bound);

}  // namespace tmrec::sched
