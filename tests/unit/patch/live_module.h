// Patches modules of the running process in place and counts its ticks. For forked children only: nothing is undone.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tracee/patch/plan.h"

namespace tmrec::patch {

// A module that is loaded, its plan, and all of its text as it will be.
struct LiveModule {
  Plan plan;
  std::uint64_t bias;
  std::vector<std::uint8_t> patched;
};

// The loaded module whose file name contains `name`. Throws std::runtime_error.
LiveModule prepare(const std::string& name, const PlanOptions& options = {});

// Patches, and points %gs at an area whose counter runs out every `slice` ticks. False: an address is taken.
bool patch_this_process(std::vector<LiveModule>& modules, std::uint64_t slice);

// So far, by this process.
std::uint64_t ticks();
std::uint64_t specials();
// Whether the handler ever found its task area inconsistent.
bool confused();

}  // namespace tmrec::patch
