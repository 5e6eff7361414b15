// One hardware counter of one task, through perf_event_open(2), in user mode only.
//
// It counts whenever the task runs program code and goes on over every interrupt; the period is what is changed to ask
// for one. The interrupt is a signal to the task itself (F_SETOWN_EX, F_SETSIG), so the task stands in a
// signal-delivery stop at once. Rejected: a signal to the supervisor, which would have to stop the task by
// PTRACE_INTERRUPT, tens of microseconds late.
//
// A blocked signal makes no stop: whoever uses interrupts keeps kCounterSignal out of the task's signal mask
// (Stopped::set_signal_mask) and shows the program its own mask.
#pragma once

#include <sys/types.h>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "format/result.h"
#include "sched/pmu_events.h"

namespace tmrec::sched {

// SIGURG: ignored by default and expected at any time by programs that use it (Go preempts by it), so one that is still
// on its way when the supervisor dies does no harm. A tracer sees ignored signals too (Linux, sig_ignored).
inline constexpr int kCounterSignal = SIGURG;

// A counting unit as the kernel shows it. Hybrid CPUs have one for each kind of core (Linux,
// tools/perf/Documentation/intel-hybrid.txt).
struct PmuDevice {
  std::string name;                   // "cpu", "cpu_core", "cpu_atom"
  std::uint32_t type = 0;             // perf_event_attr.type
  std::vector<int> cpus;              // where it counts; empty: everywhere. The task must run nowhere else
  std::optional<bool> frozen_in_smm;  // freeze_on_smi, where the CPU has it
};

inline const std::filesystem::path kPmuDevices = "/sys/bus/event_source/devices";

// The unit for an event. Machine: there is none, as in most virtual machines.
Result<PmuDevice> find_pmu_device(const PmuEvent& event, const std::filesystem::path& devices = kPmuDevices);

// "0-3,8" -> 0 1 2 3 8. What is no number is left out.
std::vector<int> parse_cpu_list(const std::string& list);

class PmuCounter {
 public:
  // Of a task (0: the calling thread), not counting yet. Machine: refused, and by what.
  static Result<PmuCounter> open(std::uint32_t type, std::uint64_t config, pid_t tid);

  PmuCounter(PmuCounter&& other) noexcept;
  PmuCounter& operator=(PmuCounter&& other) noexcept;
  ~PmuCounter();

  Result<void> enable();
  Result<void> disable();
  // The count to 0; interrupts asked for stay as far away as they are.
  Result<void> reset();

  // An error when the event was not counted all of the time (the counter was given to somebody else, or the task ran on
  // a CPU that does not have it): the count is worthless from then on.
  Result<std::uint64_t> read() const;

  // kCounterSignal to the task when so many more events were counted (at least 2), and again after as many more, until
  // asked anew; 0: none.
  Result<void> interrupt_after(std::uint64_t events);
  // Must come before the first interrupt.
  Result<void> send_interrupts_to(pid_t tid);

  // Whether a signal is this counter's.
  bool raised(const siginfo_t& info) const;

 private:
  explicit PmuCounter(int fd) : fd_(fd) {}
  int fd_;
};

// What perf_event_open's failure means here, and what to do. For tests, the settings can be given.
struct PerfSettings {
  std::optional<int> paranoid = {};  // kernel.perf_event_paranoid
  bool seccomp = false;              // a filter is active in this process
  bool virtual_machine = false;
};
PerfSettings perf_settings();
Error explain_open_failure(int err, const PerfSettings& settings);

}  // namespace tmrec::sched
