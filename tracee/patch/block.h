// Finds room for trampolines in the block.
//
// Problem: every instruction boundary inside a window must hold a byte that traps, in case an entry was missed, and
// those boundaries lie in the jump's own rel32. Solution: choose the trampoline's address so that those bytes of the
// distance are ones that can't be executed in user mode. The block therefore has holes, which other trampolines fill.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>

#include "tracee/patch/plan.h"

namespace tmrec::patch {

// An instruction that starts with this byte never completes in user mode (invalid, privileged, or int3).
bool is_trapping(std::uint8_t byte);

// Which bytes of a rel32 must be trapping ones; [3] always is.
using RelMask = std::array<bool, 4>;

class BlockSpace {
 public:
  // Link-time addresses a block for this text may occupy, signed. Error: the text is too large for the reach.
  static Result<BlockSpace> make(Va text_begin, Va text_end, Reach reach);

  // `size` bytes at a multiple of `align` (a power of two).
  std::optional<std::int64_t> take(std::uint32_t size, std::uint32_t align);
  // `size` bytes at an address whose distance from `from` (the end of the jump) has trapping bytes where the mask says.
  std::optional<std::int64_t> take_for(std::uint32_t size, std::int64_t from, const RelMask& mask);

  std::int64_t begin() const { return begin_; }
  std::int64_t used_end() const { return used_end_; }

 private:
  BlockSpace(std::int64_t begin, std::int64_t end) : begin_(begin), end_(end), used_end_(begin), tried_(begin) {
    free_.emplace(begin, end);
  }
  void occupy(std::int64_t at, std::uint32_t size);

  std::int64_t begin_, end_, used_end_, tried_;
  std::map<std::int64_t, std::int64_t> free_;  // start -> end
};

}  // namespace tmrec::patch
