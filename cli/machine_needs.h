// Which machine a trace needs: what the recording machine offered, as the program may have chosen its code by it.
#pragma once

#include <string>
#include <vector>

#include "format/cpu_info.h"
#include "format/manifest.h"

namespace tmrec::cli {

// The oldest kernel with all that replaying uses; close_range(2) and Syscall User Dispatch are the newest of it.
inline constexpr unsigned kOldestLinuxMajor = 5, kOldestLinuxMinor = 11;

struct MachineNeeds {
  // x86-64 psABI, 3.1.1: "x86-64", "x86-64-v2", "x86-64-v3" or "x86-64-v4", the highest that the CPU offered.
  std::string level;
  std::vector<std::string> beyond;  // instruction sets above that level, as /proc/cpuinfo names them
  std::uint64_t xcr0 = 0;           // register state that the kernel kept
};

MachineNeeds needs_of(const CpuInfo& cpu);

// Whether a flag of /proc/cpuinfo stands for instructions that a program may use.
bool is_instruction_set(const std::string& flag);

// Whether a kernel of this release (uname(2)) is recent enough; also for a release that cannot be read.
bool recent_enough(const std::string& release);

// The reasons why this machine may not replay the trace; empty when nothing is known against it.
std::vector<std::string> doubts_here(const Manifest& manifest);
// The same, and what makes a replay refuse to start.
std::vector<std::string> complaints_here(const Manifest& manifest);

}  // namespace tmrec::cli
