// The general registers of a task, in the order of the kernel's struct user_regs_struct
// (arch/x86/include/asm/user_64.h), which is also the order of NT_PRSTATUS in a core file. Fixed layout: the agent
// writes it too.
#pragma once

#include <cstddef>
#include <cstdint>

// One list serves printing, comparing and the gdb stub.
// clang-format off
#define TMREC_REGISTERS(X) \
  X(r15) X(r14) X(r13) X(r12) X(rbp) X(rbx) X(r11) X(r10) X(r9) X(r8) X(rax) X(rcx) X(rdx) X(rsi) X(rdi) \
  X(orig_rax) X(rip) X(cs) X(eflags) X(rsp) X(ss) X(fs_base) X(gs_base) X(ds) X(es) X(fs) X(gs)
// clang-format on

namespace tmrec {

struct Regs {
#define X(name) std::uint64_t name{};
  TMREC_REGISTERS(X)
#undef X

  friend bool operator==(const Regs&, const Regs&) = default;

  // Argument i (0..5) of the system call convention (System V ABI, A.2.1).
  std::uint64_t arg(int i) const {
    switch (i) {
      case 0:
        return rdi;
      case 1:
        return rsi;
      case 2:
        return rdx;
      case 3:
        return r10;
      case 4:
        return r8;
      default:
        return r9;
    }
  }
};
static_assert(sizeof(Regs) == 27 * 8);

inline constexpr std::size_t kRegisterCount = sizeof(Regs) / 8;

}  // namespace tmrec
