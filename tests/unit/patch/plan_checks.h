// What must hold of every plan, for every module, whatever the module does: the unit tests ask it of forty modules,
// tests/bench/patch-all of every one installed.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "tracee/patch/code_map.h"
#include "tracee/patch/plan.h"

namespace tmrec::patch {

// A module, analysed apart from its plan.
struct Module {
  std::string path;
  std::vector<std::uint8_t> file;
  ElfImage image;
  CodeMap code;
  Bits entries;  // hidden entries
  Plan plan;
  std::vector<std::uint8_t> patched;  // the text with the plan's edits

  // Error: the planner's own, for modules that can't be patched.
  static Result<Module> load(const std::string& path, const PlanOptions& options);
};

// How often each promise is broken; the first cases of each in words.
struct Faults {
  // A branch, hidden entry, symbol, relocation or function start lands inside changed bytes where no instruction
  // starts; an instruction that starts inside a window does not trap there, or has no copy to go on at.
  std::size_t boundaries = 0;
  std::size_t windows = 0;     // a window's jump does not lead to the copy of its first instruction
  std::size_t copies = 0;      // a relocated instruction does another thing than the original
  std::size_t ways_out = 0;    // a jump from the block leads into a window, or the block holds what can't be decoded
  std::size_t sites = 0;       // a retargeted branch leads to another stop's code; a trap is none
  std::size_t map = 0;         // program -> block -> program is no identity, or not total
  std::size_t cycles = 0;      // an instruction leads back to itself without a site on the way
  std::size_t encoding = 0;    // the plan does not survive its encoding
  std::size_t jumps_seen = 0;  // jumps from the block into the text: no fault
  std::vector<std::string> notes;

  std::size_t total() const { return boundaries + windows + copies + ways_out + sites + map + cycles + encoding; }
};
Faults faults_of(const Module& module);

// Sites that must be counted, by how they are patched.
struct BackEdges {
  std::size_t all = 0;
  std::array<std::size_t, kMethods> by_method{};
  std::size_t unpatched() const { return by_method[static_cast<std::size_t>(Method::None)]; }
};
BackEdges back_edges(const Module& module);

}  // namespace tmrec::patch
