#include "replayer/program_code.h"

#include <algorithm>

#include "tracee/agent/agent.h"

namespace tmrec::replayer {

using patch::Edit;
using patch::Phase;
using tracee::PatchedModule;

namespace {

// The edit that covers this byte of the text; nullptr: none does.
const Edit* edit_at(const PatchedModule& module, std::uint64_t addr) {
  const auto program = static_cast<std::uint32_t>(addr - module.text.value);
  const auto& edits = module.plan->edits;
  const auto after = std::ranges::upper_bound(edits, program, {}, &Edit::program);
  if (after == edits.begin()) return nullptr;
  const Edit& edit = *std::prev(after);
  return edit.program + edit.length > program ? &edit : nullptr;
}

}  // namespace

// An instruction whose first byte is covered by an edit is executed elsewhere; one whose displacement alone is, in its
// place.
bool ProgramCode::is_boundary(std::uint64_t rip) const {
  if (rip >= agent::kBase && rip < agent::kEnd) return false;
  if (const PatchedModule* module = patches_.with_block(rip)) {
    const auto at = static_cast<std::uint32_t>(rip - module->block.value);
    const patch::Place& place = module->plan->place_of(at);
    return place.phase == Phase::Exact && place.block == at;
  }
  const PatchedModule* module = patches_.with_text(rip);
  return module == nullptr || edit_at(*module, rip) == nullptr;
}

std::uint64_t ProgramCode::program_address(std::uint64_t rip) const {
  const PatchedModule* module = patches_.with_block(rip);
  if (module == nullptr) return rip;
  return module->text.value + module->plan->place_of(static_cast<std::uint32_t>(rip - module->block.value)).program;
}

std::vector<std::uint64_t> ProgramCode::places(std::uint64_t program) const {
  std::vector<std::uint64_t> found;
  bool in_text = true;
  for (const PatchedModule& module : patches_.modules()) {
    if (!module.in_text(program)) continue;
    if (!module.undone && edit_at(module, program) != nullptr) in_text = false;
    for (const std::uint32_t copy : module.plan->copies_of(static_cast<std::uint32_t>(program - module.text.value))) {
      found.push_back(module.block.value + copy);
    }
  }
  if (in_text) found.push_back(program);
  return found;
}

void ProgramCode::show_original(RemoteAddr from, Bytes& bytes) const {
  const std::uint64_t end = from.value + bytes.size();
  for (const PatchedModule& module : patches_.modules()) {
    if (module.undone || from >= module.text_end() || end <= module.text.value) continue;
    const auto& edits = module.plan->edits;
    const auto originals = module.plan->originals();
    std::size_t at = 0;
    for (const Edit& edit : edits) {
      const std::uint64_t start = module.text.value + edit.program;
      if (start >= end) break;
      for (std::uint64_t i = 0; i < edit.length; ++i) {
        if (start + i >= from.value && start + i < end) bytes[start + i - from.value] = originals[at + i];
      }
      at += edit.length;
    }
  }
}

}  // namespace tmrec::replayer
