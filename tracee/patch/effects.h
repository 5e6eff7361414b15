// What moving an instruction, or counting a tick before it, could change. Judged by Capstone, instruction by
// instruction, since here completeness matters more than speed.
#pragma once

#include <memory>
#include <unordered_map>

#include "tracee/patch/code_map.h"

namespace tmrec::patch {

class Effects {
 public:
  // `code` must outlive this. Throws std::bad_alloc when Capstone can't start.
  explicit Effects(const CodeMap& code);
  ~Effects();
  Effects(const Effects&) = delete;
  Effects& operator=(const Effects&) = delete;

  // True when the program can't notice that OF, SF, ZF, AF and PF were changed at this offset (CF is kept by `dec`).
  // Calls and returns end their lives (psABI 3.2.1: the flags are not preserved across calls).
  bool flags_dead(std::uint32_t at) { return life_at(at) == Life::Dead; }
  // The same for the target of a call, where only code that visibly reads them contradicts the psABI.
  bool flags_dead_at_call(std::uint32_t at) { return life_at(at) != Life::Live; }

  // True when a copy elsewhere, rip-relative operands adjusted, does the same. Instructions that Capstone doesn't know
  // or measures differently stay where they are.
  bool movable(const Insn& insn);

 private:
  enum class Flags { Untouched, Overwritten, Read, Unknown };
  Flags flags_of(const Insn& insn);
  Flags ask_capstone(const Insn& insn);
  enum class Life { Dead, Live, Unclear };
  Life life_at(std::uint32_t at);
  Life follow(std::uint32_t at);

  struct Engine;
  const CodeMap& code_;
  std::unique_ptr<Engine> engine_;
  std::unordered_map<std::uint32_t, Life> lives_;
};

}  // namespace tmrec::patch
