// Watches memory that debug registers are too few for: its pages are protected while a task runs.
//
// Problem: a watchpoint on a structure, or the fifth one, took a single step for every instruction. Solution: what the
// program may not do on these pages faults; then they are as they were for that one instruction. Supervisors
// write past the protection, and nobody else runs meanwhile. Rejected: comparing memory now and then, which does not
// see what is written and written back; userfaultfd, which says which page, but not which bytes.
//
// A fault tells the first byte that was refused. Whether the instruction came from there into watched memory is left to
// debug registers; those that write to many places at once are taken to touch everything, and where debug registers are
// too few, what the instruction may touch is taken to be touched.
#pragma once

#include <csignal>
#include <cstdint>
#include <vector>

#include "format/result.h"
#include "replayer/task.h"
#include "tracee/debug_registers.h"
#include "tracee/proc.h"

namespace tmrec::replayer {

inline constexpr std::size_t kMostFenced = 32;

class Fence {
 public:
  struct Range {
    std::uint64_t begin, end;
    bool reads;  // are of interest, too
  };
  // At most kMostFenced; none: nothing is watched. Not while it is up.
  void surround(std::vector<Range> ranges) { ranges_ = std::move(ranges); }
  bool is_needed() const { return !ranges_.empty(); }
  bool sees_reads() const;

  // Around what is mapped now. The task is one of the space, and stopped.
  Result<void> raise(Task& task);
  Result<void> lower(Task& task);
  // As it was before lower(); nothing was mapped since.
  Result<void> raise_again(Task& task);
  bool is_up() const { return up_; }
  // Such a fault is the fence's, not the program's.
  bool has_stopped(const siginfo_t& info) const;

  // The task stands at an instruction that was refused an access here: bits of the ranges that it touches for certain.
  std::uint32_t touched_at(std::uint64_t refused) const;
  // Other ranges that it may touch; the debug registers that tell, at most kDebugRegisters, and whose they are. Bits of
  // those for which none were left.
  struct Doubt {
    std::vector<tracee::WatchedWord> words;
    std::vector<std::size_t> ranges;
    std::uint32_t untold = 0;
  };
  Doubt doubts(const Task& task, std::uint64_t refused) const;
  // It writes to more than one place.
  static bool scatters(const Task& task);
  std::uint32_t all() const { return static_cast<std::uint32_t>((std::uint64_t{1} << ranges_.size()) - 1); }

 private:
  struct Part {
    std::uint64_t begin, end;
    int before, now;  // protection
  };
  Result<void> plan(Task& task);
  Result<void> protect_parts(Task& task, int Part::*prot) const;

  std::vector<Range> ranges_;
  std::vector<Part> parts_;
  bool up_ = false;
};

}  // namespace tmrec::replayer
