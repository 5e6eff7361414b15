// All trampolines of a module: counting code, copies of loops and of windows; then their addresses.
//
// Counting code is shared by all back edges with the same target. The copy of a small loop belongs to one back edge:
// from the second round on the loop runs in the copy, its counter on the way, aligned as the hardware likes it. The
// copy holds several rounds and counts one tick for all of them: a count takes as long as it takes to read what the
// last one wrote, longer than a round of the smallest loops.
#pragma once

#include <map>
#include <unordered_map>

#include "tracee/patch/block.h"
#include "tracee/patch/effects.h"
#include "tracee/patch/emit.h"
#include "tracee/patch/sites.h"
#include "tracee/patch/window.h"

namespace tmrec::patch {

class Trampolines {
 public:
  Trampolines(const CodeMap& code, const Bits& hidden_entries, const Sites& sites, Effects& effects, Plan& plan);

  // First of all. Error: the text is too large for this reach.
  Result<void> reserve(Reach reach);

  // The tick that the direct branch at this index leads to, when taken backwards.
  std::size_t tick_of(std::size_t index);
  std::uint32_t stop_of_tick(std::size_t tick) const { return ticks_[tick].stop; }
  // A copy of the code of a switch up to its jump, which is counted here as well; its block address. nullopt: no room.
  // The window is none that is jumped from: the original stays.
  std::optional<std::int64_t> copy_switch(const Window& window);
  // A copy of the window's instructions that goes on behind it, at a distance from the jump that suits the mask; its
  // block address. Adds the window's sites to the plan. nullopt: no room. `jump`: where the jump stands, unless it
  // begins the window.
  std::optional<std::int64_t> copy_window(const Window& window, const RelMask& mask, Method method,
                                          std::optional<std::uint32_t> jump = {});
  // The same with a tick before the first instruction, which is a loop's header.
  struct Ticked {
    std::int64_t va;
    std::uint32_t stop;
  };
  std::optional<Ticked> copy_header(const Window& window, const RelMask& mask);
  // The same with a tick behind the last instruction, before the call at `index`.
  std::optional<Ticked> copy_before_call(const Window& window, std::size_t index, const RelMask& mask);

  // Gives every trampoline its address and fills plan.block, stops' resume offsets and places. Once all edits are in
  // the plan. Error: no room.
  Result<void> finish();
  // Once finished: the link-time address of a tick's code.
  std::int64_t address_of_tick(std::size_t tick) const;

 private:
  struct Piece {
    Code code;
    std::int64_t va = 0;
    std::uint32_t align = 1;
    bool placed = false;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> resumes = {};  // stop, offset in the code
    // Loops: number of the round and program offset (Link::HereProgram) -> offset in the code.
    std::map<std::uint64_t, std::uint32_t> copies = {};
  };
  struct Tick {
    std::size_t piece;
    std::uint32_t at;
    std::uint32_t stop;
  };

  std::uint32_t add_stop(std::uint32_t program, SiteKind kind, bool live, std::uint16_t length);
  std::size_t plain_tick(std::uint32_t target, SiteKind kind);
  std::optional<std::size_t> copied_loop(std::size_t index);
  std::optional<std::size_t> loop_tick(std::size_t index, std::uint32_t target);
  bool loop_copies_well(std::size_t head, std::size_t branch);
  void copy_round(Piece& piece, std::size_t head, std::size_t branch, unsigned round);
  void copy_branch(Code& code, const Insn& insn, Link::To to, std::int64_t value);
  std::optional<std::int64_t> place_window(Piece piece, const Window& window, const RelMask& mask, Method method,
                                           std::uint32_t jump, std::optional<std::uint32_t> stop_behind = {});
  std::uint32_t begin_of(const Window& window) const { return code_.insns()[window.first].at; }
  void move(Piece& piece, std::size_t index, Method method);
  std::uint32_t count_on_the_way(Piece& piece, const Insn& insn, SiteKind kind);
  void move_indirect_jump(Piece& piece, const Insn& insn, std::uint32_t stop);
  bool flags_live_at_entries(std::uint32_t at);
  std::int64_t address_of_program(std::int64_t offset) const;
  Result<void> resolve(Piece& piece);
  void append_tables();

  const CodeMap& code_;
  const Bits& entries_;
  const Sites& sites_;
  Effects& effects_;
  Plan& plan_;
  std::optional<BlockSpace> space_;
  std::vector<Piece> pieces_;
  std::vector<Tick> ticks_;
  std::unordered_map<std::uint64_t, std::size_t> plain_ticks_;  // by target, and whether calls lead there
  std::unordered_map<std::uint32_t, std::size_t> loop_ticks_;   // by the back edge's instruction
  std::unordered_map<std::uint32_t, bool> live_functions_;
  // Instructions that windows replaced: where code that wants to go there must go, inside windows of necessity.
  std::unordered_map<std::uint32_t, std::int64_t> moved_;
};

}  // namespace tmrec::patch
