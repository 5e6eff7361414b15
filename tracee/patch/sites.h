// Which instructions must be patched.
//
// Every cycle of control flow passes a direct branch or call that closes it (cycles.h), an indirect jump, or a call
// through a pointer. Those are counted. PLT slots are no sites, but what leads to them may be one.
#pragma once

#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "tracee/patch/code_map.h"
#include "tracee/patch/cycles.h"
#include "tracee/patch/plan.h"

namespace tmrec::patch {

class Sites {
 public:
  Sites(const ElfImage& image, const CodeMap& code, const PlanOptions& options);

  // Before kind_of is asked about anything but indirect jumps and calls through pointers.
  void find_cycles(const Decided& decided);

  // What the instruction at this index of code.insns() is, if it must be patched.
  std::optional<SiteKind> kind_of(std::size_t index) const;

  // See Cycles::entries_of.
  std::vector<std::uint32_t> entries_of(std::size_t index) const { return cycles_->entries_of(index); }

 private:
  static std::optional<SiteKind> special_kind(Kind kind);
  bool is_plt_slot(const Insn& insn) const;
  bool is_in_plt(const Insn& insn) const;
  Va slot_of(const Insn& insn) const;
  Bindings bindings() const;
  bool closes_cycle(std::size_t index) const { return cycles_ && cycles_->closed_by(index); }
  bool is_sigreturn(std::size_t index) const;

  const CodeMap& code_;
  PlanOptions options_;
  std::unordered_map<Va, Va> slots_;                             // words that relocations bind to functions; to which
  std::unordered_set<Va> runtime_slots_;                         // of those, to functions of the C and C++ runtime
  std::vector<std::uint32_t> exported_;                          // offsets of what other modules find by name
  std::vector<std::pair<std::uint32_t, std::uint32_t>> plt_;     // offsets of the PLT's sections
  std::vector<std::pair<std::uint32_t, std::uint32_t>> frames_;  // sigreturn trampolines, in order
  std::optional<Cycles> cycles_;                                 // once found
};

}  // namespace tmrec::patch
