// A task's processor as a debugger moves it: on to a stop, instruction by instruction, up to traps.
//
// Problem: what the kernel offers is coarser than what the program executes (a repeated string instruction stops in its
// middle, a step over a system call would perform it, a pushed flags register shows the trap flag), and a trap that
// stays in memory is seen by whoever reads or hashes it. Solution: all of that is dealt with here, for one task at a
// time, and traps are in memory only while the task runs.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "format/result.h"
#include "replayer/detour.h"
#include "replayer/fence.h"
#include "replayer/patience.h"
#include "replayer/task.h"
#include "tracee/stop.h"

namespace tmrec::replayer {

// As run_stub, by way of the task's counter, if it has one. `armed`: its debug registers watch memory. hardware.cc
std::optional<tracee::Stop> run_machine(Task& task, tracee::Resume how, Nanoseconds limit, bool armed,
                                        const std::function<bool()>& give_up);

// An interrupt of its counter's. hardware.cc
bool is_counter_interrupt(const Task& task, const tracee::Stop& stop);

struct Machine {
  using Stop = tracee::Stop;

  Nanoseconds limit{Nanoseconds::max()};  // CPU time for one run; more is a desync
  // Asked now and then while the task runs: leave it where it is.
  std::function<bool()> give_up;
  bool left = false;           // give_up has said so
  bool armed = false;          // the task's debug registers watch memory
  Fence fence;                 // or this does
  std::uint32_t accessed = 0;  // words of the ones, ranges of the other, since this was set to 0
  bool counter_due =
      false;  // the interrupt that the task's counter was asked for has come, since this was set to false

  // What becomes of that interrupt. It may come late, to whoever moves the task then.
  enum class CounterInterrupt : std::uint8_t { Pass, Stop };
  // From task.regs to the next stop; task.regs is where it stands then. nullopt: it was interrupted because give_up
  // said so.
  Result<std::optional<Stop>> resume(Task& task, tracee::Resume how, CounterInterrupt then = CounterInterrupt::Pass);
  // One instruction. nullopt: it was executed, and led to nothing else.
  Result<std::optional<Stop>> step(Task& task);
  // The same up to the next instruction of the program.
  Result<std::optional<Stop>> step_to_boundary(Task& task);

  struct Trap {
    std::uint64_t at;
    std::uint8_t byte;                     // that was there
    std::shared_ptr<const Detour> detour;  // which asks before it traps; null: it always does
  };
  void insert(const Task& task, std::uint64_t at, std::shared_ptr<const Detour> detour = nullptr);
  // The task has run into one of them, and stands in front of its instruction.
  bool has_trapped(Task& task, const Stop& stop) const;
  // The instruction under a trap, and nothing else. As step().
  Result<std::optional<Stop>> step_off_trap(Task& task);
  std::vector<Trap> remove_traps(const Task& task);

  // After a step or a run: nullopt when it was nothing but that, or led out of a window.
  static std::optional<Stop> moved_by(Task& task, const Stop& stop);

 private:
  Result<std::optional<Stop>> run(Task& task, tracee::Resume how, CounterInterrupt then = CounterInterrupt::Pass);
  Result<std::optional<Stop>> pass_fence(Task& task);
  Result<std::optional<Stop>> step_among_traps(Task& task);
  Result<std::optional<Stop>> over_repeated(Task& task, std::uint64_t behind);
  static void put(const Task& task, const Trap& trap);
  static void take_away(const Task& task, const Trap& trap);
  bool enters_jump(Task& task, const Stop& stop) const;
  Result<void> leave_detour(Task& task, std::optional<Stop>& stop);

  std::vector<Trap> traps_;
};

}  // namespace tmrec::replayer
