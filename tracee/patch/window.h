// Where a 5-byte jump fits.
//
// Problem: most back edges are 2 bytes long. Solution: a *window*, whole neighbouring instructions that are moved to
// the trampoline, the jump in place of the first. The rules: no call, syscall, int or x87 instruction moves (return
// addresses and FIP stay the program's own); nothing known enters a window behind its first byte; and what is not known
// to be entered traps: the boundaries inside hold bytes that can't be executed (block.h), or int3. Where no window
// fits, the branch's 8-bit displacement can lead to a jump in padding.
#pragma once

#include <optional>
#include <vector>

#include "tracee/patch/block.h"
#include "tracee/patch/code_map.h"
#include "tracee/patch/effects.h"

namespace tmrec::patch {

// Instructions [first, last] of code.insns().
struct Window {
  std::size_t first, last;
};

// Unused bytes behind code that doesn't fall through, which nothing jumps to.
struct Padding {
  std::uint32_t begin, end;
};

inline constexpr std::uint32_t kJumpLength = 5;

class Windows {
 public:
  Windows(const CodeMap& code, const Bits& hidden_entries, Effects& effects);

  // The best window around the instruction at `index`; its own instruction counts as movable.
  std::optional<Window> around(std::size_t index);
  // A window that begins with the instruction at `index`.
  std::optional<Window> from(std::size_t index);
  // A window that ends where the instruction at `index` begins, which is reached through it alone.
  std::optional<Window> before(std::size_t index);
  // A window that ends with the instruction at `index`, with room in front of that for a jump of so many bytes: the
  // instruction can stay, if it may also be executed where it stands.
  std::optional<Window> up_to(std::size_t index, std::uint32_t jump_length);
  // Boundaries inside the jump's displacement.
  RelMask mask_of(const Window& window) const;
  // Takes the window's bytes: no later window overlaps them.
  void take(const Window& window) { take(begin_of(window), end_of(window)); }
  void take(std::uint32_t begin, std::uint32_t end) { taken_.set_range(begin, end); }
  bool taken(std::uint32_t at) const { return taken_.test(at); }
  // Control may come here otherwise than from the instruction before, which returns don't count for.
  bool entered(std::uint32_t at) const { return entries_.test(at) || code_.targets().test(at); }

  std::uint32_t begin_of(const Window& w) const { return code_.insns()[w.first].at; }
  std::uint32_t end_of(const Window& w) const { return code_.insns()[w.last].end(); }

  // The start of 5 bytes of padding that a short branch ending at `end` reaches; they are then used up.
  std::optional<std::uint32_t> springboard(std::uint32_t end);

  // A window that isn't needed for its own sake, but has room behind its jump for another one, at `springboard`, within
  // reach of the short branch at `index`.
  struct Donor {
    Window window;
    std::uint32_t springboard;
  };
  std::optional<Donor> donor(std::size_t index);

 private:
  bool fits(std::size_t index, std::size_t first, std::size_t last, std::uint32_t room = kJumpLength);
  void find_padding();

  const CodeMap& code_;
  const Bits& entries_;
  Effects& effects_;
  Bits taken_;
  std::vector<Padding> padding_;
};

}  // namespace tmrec::patch
