// Which instructions must be patched.
//
// Every cycle of control flow has an edge that leads backwards or leaves through a pointer, so a tick at each backward
// direct branch, indirect jump and backward direct call lies on every cycle that stays within them. PLT slots are no
// sites: the call that leads to them is. Not counted: recursion whose only backward edges are calls through pointers.
#pragma once

#include <optional>
#include <unordered_set>

#include "tracee/patch/code_map.h"
#include "tracee/patch/plan.h"

namespace tmrec::patch {

class Sites {
 public:
  Sites(const ElfImage& image, const CodeMap& code, const PlanOptions& options);

  // What the instruction at this index of code.insns() is, if it must be patched.
  std::optional<SiteKind> kind_of(std::size_t index) const;

 private:
  static std::optional<SiteKind> special_kind(Kind kind);
  bool is_plt_slot(const Insn& insn) const;
  bool is_sigreturn(std::size_t index) const;

  const CodeMap& code_;
  PlanOptions options_;
  std::unordered_set<Va> slots_;                                 // words that relocations bind to functions
  std::vector<std::pair<std::uint32_t, std::uint32_t>> plt_;     // offsets of the PLT's sections
  std::vector<std::pair<std::uint32_t, std::uint32_t>> frames_;  // sigreturn trampolines, in order
};

}  // namespace tmrec::patch
