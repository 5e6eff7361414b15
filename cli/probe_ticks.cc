// What there is to count a task's progress with, and which of it would be chosen (sched/pmu_self_test.h).

#include <fmt/format.h>

#include "cli/probe.h"
#include "sched/pmu_self_test.h"

namespace tmrec::cli {
namespace {

Probe counter_of(const sched::PmuReport& report) {
  Probe probe{.name = "counter", .ok = false, .needed = false, .meaning = {}, .advice = {}};
  std::string found;
  for (const sched::PmuCandidate& candidate : report.candidates) {
    const sched::PmuEvent& event = candidate.event;
    if (!found.empty()) found += "; ";
    found += fmt::format("{} (event {:#x}{}): ", event.name, event.config,
                         candidate.device ? " of " + candidate.device->name : "");
    if (candidate.measured) {
      probe.ok = true;
      found += fmt::format("counts exactly, interrupts at most {} branches late", candidate.measured->worst_skid);
      if (event.quirks & sched::kRetirementErratum) found += ", has an erratum about counting too much";
    } else {
      found += candidate.problem;
      if (probe.advice.empty()) probe.advice = candidate.advice;
    }
  }
  if (found.empty()) found = "no event known for " + describe(report.cpu);
  probe.meaning = (probe.ok ? "hardware counter for conditional branches: " : "no hardware counter: ") + found;
  if (probe.ok) probe.advice.clear();
  return probe;
}

Probe ticks_of(const sched::PmuReport& report) {
  const sched::TickSourceChoice choice = choose_tick_source(report);
  Probe probe{.name = "ticks", .ok = true, .needed = false, .meaning = {}, .advice = choice.advice};
  probe.meaning = choice.event
                      ? fmt::format("progress would be counted in hardware ({}): {}", choice.name, choice.reason)
                      : "progress would be counted in software, in patched code: " + choice.reason;
  return probe;
}

}  // namespace

std::vector<Probe> probe_ticks() {
  const sched::PmuReport report = sched::examine_pmu();
  std::vector<Probe> probes{counter_of(report), ticks_of(report)};
  // Said once.
  if (probes[0].advice == probes[1].advice) probes[1].advice.clear();
  return probes;
}

}  // namespace tmrec::cli
