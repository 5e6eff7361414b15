// The part of a task's `%gs` area that patched code uses: byte offsets from %gs:0. All but the handlers' pointers are
// written by trampolines; the agent owns the rest of the area.
#pragma once

#include <cstdint>

namespace tmrec::patch {

struct TaskArea {
  static constexpr std::uint32_t kCounter = 0;  // u64: ticks left; the tick that makes it 0 goes to kTickHandler
  // u64: address of agent code. It is jumped to, all registers being the program's, with kStop and kBlock set; CF, DF
  // and the like are the program's, and at Stop::flags_live so are all flags.
  static constexpr std::uint32_t kTickHandler = 8;
  // u64: rcx, while a flag-preserving tick counts, and once kBlock is set.
  static constexpr std::uint32_t kScratchRcx = 16;
  static constexpr std::uint32_t kStop = 24;            // u32: index into Plan::stops
  static constexpr std::uint32_t kScratchRax = 32;      // u64: rax, while kBlock is set
  static constexpr std::uint32_t kBlock = 40;           // u64: address where the module's trampoline block is mapped
  static constexpr std::uint32_t kSpecialHandler = 48;  // u64: like kTickHandler, for syscall and special instructions
  // u64: address where the program goes on, once kBlock is set. At a special instruction: where it is performed.
  static constexpr std::uint32_t kResume = 56;
  static constexpr std::uint32_t kSize = 64;
};

}  // namespace tmrec::patch
