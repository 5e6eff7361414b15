// Trampoline code before it has an address: bytes, the places that must be filled in, and what each instruction stands
// for.
#pragma once

#include <initializer_list>
#include <vector>

#include "tracee/patch/code_map.h"
#include "tracee/patch/plan.h"

namespace tmrec::patch {

// A rel32 to fill in once all addresses are known.
struct Link {
  enum class To : std::uint8_t {
    Program,      // value: offset in the text
    Address,      // value: link-time address (of data, through a rip-relative operand)
    Tick,         // value: index of a tick
    Common,       // value: offset in the block
    Here,         // value: offset in this code
    HereProgram,  // value: round << 32 | offset in the text of an instruction that this code holds copies of
  };
  std::uint32_t at;  // of the 4 bytes, in the code
  To to;
  std::uint8_t tail;  // bytes of the instruction behind them
  std::int64_t value;
};

class Code {
 public:
  std::uint32_t size() const { return static_cast<std::uint32_t>(bytes_.size()); }
  void raw(std::initializer_list<std::uint8_t> bytes) { bytes_.insert(bytes_.end(), bytes); }
  void word32(std::uint32_t value);
  void link(Link::To to, std::int64_t value) {
    links_.push_back({size(), to, 0, value});
    word32(0);
  }
  void jmp(Link::To to, std::int64_t value) {
    raw({0xe9});
    link(to, value);
  }
  // `condition`: the low four bits of a jcc's opcode.
  void jcc(std::uint8_t condition, Link::To to, std::int64_t value) {
    raw({0x0f, static_cast<std::uint8_t>(0x80 | condition)});
    link(to, value);
  }
  // From here on the code stands for `program`. Of two statements about the same byte the first holds.
  void place(std::uint32_t program, Phase phase) {
    if (places_.empty() || places_.back().block != size()) places_.push_back({size(), program, phase});
  }
  // The instruction as it is, its rip-relative operand adjusted. Direct branches and special instructions: not here.
  void copy(const CodeMap& code, const Insn& insn);
  // Short jump over code that isn't there yet; `land` fills it in.
  std::uint32_t hop(std::uint8_t opcode) {
    raw({opcode, 0});
    return size();
  }
  void land(std::uint32_t hop) { bytes_[hop - 1] = static_cast<std::uint8_t>(size() - hop); }

  // Counts a tick and goes to the agent when it was the last. Falls through otherwise, and the agent continues there
  // too. The out-of-line part follows by `slow`, whose argument is what this returns.
  struct Tick {
    std::uint32_t hop;
    bool live;
  };
  Tick count(std::uint32_t program, bool flags_live);
  void slow(Tick tick, std::uint32_t program, std::uint32_t stop);
  // Counts a tick and goes on at offset `again` of this code; to the agent when it was the last. Returns where the
  // agent continues.
  std::uint32_t count_and_loop(std::uint32_t program, std::int64_t again, std::uint32_t stop);
  // Behind a system call, rcx holds the address of the next instruction: that of the program's, at `va`.
  void show_return(std::int64_t va);
  // TaskArea::kStop = stop, and on to the block's common code at `common`.
  void leave(std::uint32_t stop, std::uint32_t common);

  std::vector<std::uint8_t>& bytes() { return bytes_; }
  const std::vector<std::uint8_t>& bytes() const { return bytes_; }
  const std::vector<Link>& links() const { return links_; }
  const std::vector<Place>& places() const { return places_; }

 private:
  std::vector<std::uint8_t> bytes_;
  std::vector<Link> links_;
  std::vector<Place> places_;
};

// Offsets in the block of the code that all trampolines share, and its end.
inline constexpr std::uint32_t kTickCommon = 0, kSpecialCommon = 96, kUndoAt = 192, kCommonEnd = 224;

// At kUndoAt: how to undo the edits, for somebody who finds the block in a process's memory.
struct Undo {
  std::uint64_t magic = kMagic;
  std::int64_t text;        // the text's address minus the block's
  std::uint32_t entries;    // offset in the block of an array of UndoEntry, in the order of addresses
  std::uint32_t count;      // of entries
  std::uint64_t bytes_end;  // offset in the block: the end of the original bytes, which follow the entries
  static constexpr std::uint64_t kMagic = 0x6f646e7563726d74;  // "tmrcundo"
};
struct UndoEntry {
  std::uint32_t program, length;  // so many bytes at this offset of the text
};
static_assert(sizeof(Undo) == kCommonEnd - kUndoAt);

// That code. `resumes`: offset in the block of an array of 32-bit offsets, one for each stop: where to go on.
std::vector<std::uint8_t> common_code(std::uint32_t resumes);

// The low four bits of the opcode of a conditional jump.
std::uint8_t condition_of(const CodeMap& code, const Insn& insn);

}  // namespace tmrec::patch
