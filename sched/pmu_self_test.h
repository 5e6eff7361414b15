// Whether the hardware counter of this machine can be relied upon, and which tick source is chosen.
//
// The problem: a counter that is there may still count wrong (a hypervisor's emulation, SpecLockMap, an unknown
// stepping) or never interrupt, and a recording made with it would not replay. The solution: count code whose
// conditional branches are known, many times, with every kind of branch in it, with other code competing for a lock,
// and with interrupts whose lateness is measured; anything that is not exact to the last branch rejects the counter.
// Rejected: trusting the CPUID, the kernel's word or an earlier result kept in a file, none of which sees the
// hypervisor of the day.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sched/pmu_counter.h"
#include "sched/pmu_events.h"

namespace tmrec::sched {

struct PmuMeasurement {
  std::uint64_t counted = 0;     // conditional branches, all of them counted exactly
  std::uint64_t interrupts = 0;  // that came
  std::uint64_t worst_skid = 0;  // ticks
};

struct PmuCandidate {
  PmuEvent event;
  std::optional<PmuDevice> device;
  std::optional<PmuMeasurement> measured;
  std::string problem;  // empty: it works
  std::string advice;   // what to do about the problem; may be empty
};

struct PmuReport {
  CpuId cpu;
  bool elided_locks = false;             // CPUID leaf 7: HLE
  bool transactions = false;             // RTM
  std::vector<PmuCandidate> candidates;  // performance cores first; those after one that works are not tried
};

// Takes some 50 ms, in a child process of its own: signal handlers and affinity of the caller stay as they are. To be
// called before the caller starts threads.
PmuReport examine_pmu();

// One event on one unit.
PmuCandidate try_pmu(const PmuEvent& event, const PmuDevice& device);

struct TickSourceChoice {
  std::string name;               // TickSource::name(): "software" or "pmu:..."
  std::string reason;             // one clause: "... counts exactly", "no hardware counter: ..."
  std::string advice;             // what would make the hardware counter usable, or safer; may be empty
  std::optional<PmuEvent> event;  // set: the hardware counter
  std::optional<PmuDevice> device;
};

// The hardware counter when it works: computing then costs nothing. Pure.
TickSourceChoice choose_tick_source(const PmuReport& report);

}  // namespace tmrec::sched
