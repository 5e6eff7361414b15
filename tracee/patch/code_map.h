// Which bytes of a module are instructions.
//
// Problem: text sections hold data too (tables of hand-written assembly, jump tables of old compilers), and patching
// data changes results. Solution: only bytes that unwind information, function symbols or Go's pclntab call code, and
// what direct branches reach from there. Rejected: a linear sweep of the section.
#pragma once

#include <vector>

#include "tracee/patch/decode.h"
#include "tracee/patch/eh_frame.h"
#include "tracee/patch/elf_image.h"

namespace tmrec::patch {

// A function's bytes, as offsets in the text.
struct FunctionRange {
  std::uint32_t begin, end;
  bool signal_frame;
};

class CodeMap {
 public:
  // Error: no executable segment, or segments too far apart to patch (more than 1 GiB).
  static Result<CodeMap> make(const ElfImage& image, const UnwindInfo& unwind);

  // The text: all executable segments, joined, gaps filled with zeros. Offsets in it are 32 bits wide.
  Va base() const { return base_; }
  Bytes text() const { return text_; }
  Va va(std::uint32_t at) const { return base_ + at; }
  bool holds(Va va) const { return va >= base_ && va - base_ < text_.size(); }
  std::uint32_t offset(Va va) const { return static_cast<std::uint32_t>(va - base_); }

  // In the order of addresses; they never overlap, and where two sources disagree the first of them is believed.
  const std::vector<Insn>& insns() const { return insns_; }
  const Bits& starts() const { return starts_; }
  // Targets of direct branches.
  const Bits& targets() const { return targets_; }
  // A direct branch leads into this instruction's middle.
  bool jumped_into(const Insn& insn) const;
  // In the order of addresses, without duplicates.
  const std::vector<FunctionRange>& functions() const { return functions_; }

  // Index of the instruction at this offset, which is one of starts().
  std::size_t index_of(std::uint32_t at) const;
  Bytes bytes(const Insn& insn) const { return Bytes(text_).subspan(insn.at); }
  // The target's offset; -1 when it lies outside of the text.
  std::int64_t target(const Insn& insn) const;

 private:
  Result<void> load_text(const ElfImage& image);
  void add_function(Va begin, Va end, bool signal_frame);
  void sweep(std::uint32_t begin, std::uint32_t end, bool follow);
  void follow_branches();

  Va base_ = 0;
  std::vector<std::uint8_t> text_;
  std::vector<Insn> insns_;
  Bits starts_, covered_, targets_;
  std::vector<FunctionRange> functions_;
  std::vector<std::uint32_t> pending_;
};

}  // namespace tmrec::patch
