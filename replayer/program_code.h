// Patched code as the program knows it. A program instruction may be executed in its place in the text, in one or more
// copies in trampolines, or both; and what is executed in between is none of the program's.
#pragma once

#include <cstdint>
#include <vector>

#include "format/event.h"
#include "format/types.h"
#include "tracee/patched_space.h"

namespace tmrec::replayer {

class ProgramCode {
 public:
  explicit ProgramCode(const tracee::PatchedSpace& patches) : patches_(patches) {}

  // A task at this address is about to execute a program instruction; else it is on its way to one.
  bool is_boundary(std::uint64_t rip) const;
  // Of that instruction.
  std::uint64_t program_address(std::uint64_t rip) const;
  // Every place where the instruction at this program address is executed.
  std::vector<std::uint64_t> places(std::uint64_t program) const;
  // Puts the program's own bytes where `bytes`, read from memory at `from`, holds edits.
  void show_original(RemoteAddr from, Bytes& bytes) const;

 private:
  const tracee::PatchedSpace& patches_;
};

}  // namespace tmrec::replayer
