// Which tick source a recording uses, and the same one again for its replay.
#pragma once

#include <memory>
#include <string>

#include "sched/ticks.h"

namespace tmrec::sched {

// What the user may ask for: "auto", "software", "pmu" and, for tests, "stepped".
enum class TickChoice : std::uint8_t { Auto, Software, Pmu, Stepped };
std::optional<TickChoice> tick_choice(const std::string& name);

struct ChosenSource {
  std::shared_ptr<TickSource> source;  // null: software, in patched code
  std::string name = "software";       // for the manifest
  std::vector<int> cpus = {};          // where tasks must run; empty: anywhere
};

// Auto: the hardware counter where its self-test passes, else software. Machine: asked for, and it does not work here.
// Before the caller starts threads.
Result<ChosenSource> choose_source(TickChoice choice);

// The source of a trace's manifest. Machine: this machine has not got it.
Result<ChosenSource> source_named(const std::string& name);

}  // namespace tmrec::sched
