// System calls as the agent writes them down: one behind the other, each with what has changed since the one before it.
//
// Problem: a call in place takes a third of a microsecond, and the registers that it begins with are 160 bytes, which
// would have to be written, copied and compressed. Solution: of these words only those are written that differ from the
// call before; in a loop that is one or two. Rejected: to compress in place, which takes longer than the call.
//
// Freestanding.
//
//   CallRecord | the changed words | extents: CallExtent, bytes, filled up to a multiple of 8
#pragma once

#include <cstddef>
#include <cstdint>

namespace tmrec {

// The words that a call begins with; rax is its number, rip the instruction's address. rcx and r11 are not among them:
// the kernel overwrites both.
enum class CallWord : std::uint8_t {
  Number,
  Rbx,
  Rdx,
  Rsi,
  Rdi,
  Rbp,
  Rsp,
  R8,
  R9,
  R10,
  R12,
  R13,
  R14,
  R15,
  Rip,
  Flags,
  FsBase,  // 0 where it can't be read without a system call
};
inline constexpr std::size_t kCallWords = 17;

struct CallWords {
  std::uint64_t at[kCallWords] = {};
  std::uint64_t operator[](CallWord word) const { return at[static_cast<std::size_t>(word)]; }
  std::uint64_t& operator[](CallWord word) { return at[static_cast<std::size_t>(word)]; }
};

struct CallRecord {
  static constexpr std::uint32_t kMostExtents = (1u << 15) - 1;

  std::uint32_t size;          // bytes, with all that follows; a multiple of 8
  std::uint32_t changed : 17;  // bit by CallWord
  std::uint32_t extents : 15;  // how many follow
  std::int64_t ret;            // rax at exit
  std::uint64_t ticks_left;    // behind the call: the supervisor may have changed the count while it was made
};
static_assert(sizeof(CallRecord) == 24);

// Memory that the call read or wrote.
struct CallExtent {
  std::uint64_t addr;
  std::uint32_t size;  // bytes, without what fills them up
  std::uint32_t is_input;
};
static_assert(sizeof(CallExtent) == 16);

constexpr std::uint64_t padded_to_word(std::uint64_t size) { return (size + 7) & ~std::uint64_t{7}; }

}  // namespace tmrec
