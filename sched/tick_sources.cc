#include "sched/tick_sources.h"

#include <fmt/format.h>

#include "sched/pmu_self_test.h"
#include "sched/pmu_source.h"
#include "sched/stepped_source.h"

namespace tmrec::sched {

std::optional<TickChoice> tick_choice(const std::string& name) {
  if (name == "auto") return TickChoice::Auto;
  if (name == "software") return TickChoice::Software;
  if (name == "pmu") return TickChoice::Pmu;
  if (name == SteppedSource::kName) return TickChoice::Stepped;
  return std::nullopt;
}

Result<ChosenSource> choose_source(TickChoice choice) {
  if (choice == TickChoice::Software) return ChosenSource{};
  if (choice == TickChoice::Stepped) return ChosenSource{std::make_shared<SteppedSource>(), SteppedSource::kName};
  const TickSourceChoice found = choose_tick_source(examine_pmu());
  if (found.event) {
    return ChosenSource{std::make_shared<PmuSource>(found.name, *found.device, *found.event), found.name,
                        found.device->cpus};
  }
  if (choice == TickChoice::Auto) return ChosenSource{};
  const std::string advice = found.advice.empty() ? "" : " (" + found.advice + ")";
  return fail(ErrorKind::Machine, fmt::format("no hardware counter that works: {}{}", found.reason, advice));
}

Result<ChosenSource> source_named(const std::string& name) {
  if (name == "software" || name == "none") return ChosenSource{nullptr, name};
  if (name == SteppedSource::kName) return choose_source(TickChoice::Stepped);
  if (!name.starts_with("pmu:"))
    return fail(ErrorKind::BadTrace,
                fmt::format("recorded with ticks of a kind that this tmrec does not know: {}", name));
  auto here = choose_source(TickChoice::Pmu);
  if (!here) {
    return fail(ErrorKind::Machine, fmt::format("recorded with the hardware counter {}, which its replay needs: {}",
                                                name.substr(4), here.error().text));
  }
  if (here->name == name) return here;
  return fail(ErrorKind::Machine, fmt::format("recorded with the hardware counter {}, and this machine has {}: replay "
                                              "it on a CPU of the recording's kind",
                                              name.substr(4), here->name.substr(4)));
}

}  // namespace tmrec::sched
