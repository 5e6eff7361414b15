// tmrec doctor: runs every probe and says what it means.

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <memory>

#include "cli/command.h"
#include "cli/json.h"
#include "cli/probe.h"
#include "cli/say.h"
#include "cli/trace_place.h"

namespace tmrec::cli {
namespace {

Result<std::vector<Probe>> run_probes() {
  TMREC_TRY(const std::filesystem::path base, base_directory());
  std::vector<Probe> probes = probe_tracing();
  std::ranges::move(probe_cpu(), std::back_inserter(probes));
  std::ranges::move(probe_ticks(), std::back_inserter(probes));
  std::ranges::move(probe_storage(base), std::back_inserter(probes));
  return probes;
}

void print_json(const std::vector<Probe>& probes) {
  JsonArray array;
  for (const Probe& probe : probes) {
    array.raw(JsonObject()
                  .add("name", probe.name)
                  .add("ok", probe.ok)
                  .add("needed", probe.needed)
                  .add("meaning", probe.meaning)
                  .add("advice", probe.advice)
                  .str());
  }
  fmt::print("{}\n", array.str());
}

void print_text(const std::vector<Probe>& probes) {
  for (const Probe& probe : probes) {
    fmt::print("{:<8} {:<14} {}\n", probe.ok ? "ok" : probe.needed ? "MISSING" : "missing", probe.name, probe.meaning);
    if (!probe.advice.empty()) fmt::print("{:<23} -> {}\n", "", probe.advice);
  }
}

}  // namespace

Action add_doctor(CLI::App& app) {
  auto json = std::make_shared<bool>(false);
  app.add_flag("--json", *json, "Print one JSON array");
  app.footer(
      "Every line is the result of an experiment, not of a version number. \"MISSING\" in capitals keeps tmrec from\n"
      "recording or replaying at all (exit status 4); \"missing\" costs what the line says.\n"
      "Example:\n  tmrec doctor");
  return [json] {
    const Result<std::vector<Probe>> probes = run_probes();
    if (!probes) return report(probes.error());
    *json ? print_json(*probes) : print_text(*probes);
    const bool usable = std::ranges::all_of(*probes, [](const Probe& probe) { return probe.ok || !probe.needed; });
    return usable ? 0 : exit_status(ErrorKind::Machine);
  };
}

}  // namespace tmrec::cli
