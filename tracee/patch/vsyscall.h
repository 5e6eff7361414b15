// Calls into the vsyscall page, which old static programs make.
//
// Problem: the kernel itself performs what is called at these fixed addresses, at a page fault; no tracer sees it, and
// nothing can be mapped there. Solution: whoever calls them loads the address first (glibc until 2.22 by
// `mov $0xffffffffff600400,%rax; call *%rax`). The constant is replaced by that of a *twin*: a page at a low address,
// which the same instruction can name, whose functions make system calls. Rejected: a look at the target of every call
// through a pointer, which all programs would pay for.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "tracee/patch/bytes.h"
#include "tracee/patch/decode.h"

namespace tmrec::patch {

// Linux, arch/x86/include/uapi/asm/vsyscall.h: gettimeofday, time and getcpu, 1024 bytes apart.
inline constexpr std::uint64_t kVsyscallPage = 0xffff'ffff'ff60'0000;
// Above the lowest address that may be mapped (vm.mmap_min_addr), below where programs are linked to.
inline constexpr std::uint64_t kVsyscallTwin = 0x7'0000;
inline constexpr std::uint64_t kVsyscallTwinSize = 4096;

// The address in the twin, when the instruction moves that of a function of the vsyscall page into a register: its last
// four bytes are a sign-extended immediate. `bytes` begin with the instruction.
std::optional<std::uint32_t> vsyscall_twin_of(const Insn& insn, Bytes bytes);

// What the twin holds.
std::vector<std::uint8_t> vsyscall_twin();

}  // namespace tmrec::patch
