// What the log and the plans of a trace say about the recorded program's code: where its progress is counted, how often
// it was stopped there, and which of its branches no tick counts.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "format/result.h"
#include "tracee/patch/plan.h"

namespace tmrec::cli {

// One kind of place in the code: branches backwards, indirect jumps, calls, special instructions.
struct Places {
  std::uint64_t all = 0;
  std::uint64_t left_alone = 0;  // of them: not patched
};

struct ModuleFacts {
  std::string name;                  // path, as the recording met it
  std::string plan;                  // its blob
  std::uint64_t address_spaces = 0;  // how often it was patched
  Places back_edges, indirect_jumps, calls, special;
  std::array<std::uint64_t, patch::kMethods> by_method{};  // of them all
  std::uint64_t text_bytes = 0, trampoline_bytes = 0;
};

struct CodeFacts {
  std::uint64_t stops = 0;           // tasks stopped at a tick, in the middle of a computation
  std::uint64_t preemptions = 0;     // of them: for another task's turn
  std::uint64_t signals = 0;         // asynchronous ones that a handler got there
  std::uint64_t undone = 0;          // modules whose code was made the program's own again
  std::vector<ModuleFacts> modules;  // in the order in which they were patched first
};

// Reads the whole log, or what there is of it. Error: BadTrace, of the log or of a plan.
Result<CodeFacts> code_facts(const std::filesystem::path& trace, const std::filesystem::path& blobs);

}  // namespace tmrec::cli
