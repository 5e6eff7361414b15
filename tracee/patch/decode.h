// Compact records of x86-64 instructions (Intel SDM volume 2, chapter 2 and appendix A).
//
// Problem: a module has up to tens of millions of instructions, and a full disassembly takes Capstone 0.6 us each. The
// patcher needs of nearly all of them the length, what kind of branch they are, and where a rip-relative operand sits.
// Solution: lengths and kinds come from opcode tables; Capstone (effects.h) judges only instructions that are moved,
// and the tests compare both over whole modules. Rejected: Capstone for all of it.
#pragma once

#include <optional>

#include "tracee/patch/bytes.h"

namespace tmrec::patch {

enum class Kind : std::uint8_t {
  Plain,
  Nop,    // any length; also int3 between functions is Trap, not this
  Endbr,  // endbr64
  X87,    // remembers its own address (FIP), so it isn't moved
  JccShort,
  JccNear,
  JmpShort,
  JmpNear,
  Loop,  // loop, loope, loopne, jrcxz: 8-bit displacement only
  Call,
  JmpIndirect,
  CallIndirect,
  Ret,
  Trap,         // int3, int n, int1, ud0-2, hlt
  FarTransfer,  // iret, far jmp and call, sysret
  Syscall,      // syscall, sysenter, int 0x80
  Rdtsc,
  Rdtscp,
  Rdpid,
  Rdrand,
  Rdseed,
  Cpuid,
  Xgetbv,
  Rdpmc,
  Rdpru,
  StoreSystem,  // sgdt, sidt, sldt, str, smsw: the kernel's addresses, where UMIP doesn't fault
  Xbegin,
};

struct Insn {
  std::uint32_t at = 0;  // offset in the text
  std::uint8_t length = 0;
  Kind kind = Kind::Plain;
  std::uint8_t opcode = 0;  // offset of the first opcode byte after prefixes (of 0f, VEX or EVEX where there is one)
  std::uint8_t rip_displacement = 0;  // offset of the 32-bit displacement of a rip-relative operand; 0: none
  std::uint8_t immediate = 0;         // length of the immediate at the instruction's end, without branch displacements
  bool odd = false;                   // prefixes that change what a moved or rewritten copy would mean
  bool gs = false;                    // reads or writes memory at %gs, or changes or shows where that is

  std::uint32_t end() const { return at + length; }
};

// The instruction at the start of `bytes`; nullopt: none, or cut off. `at` is only noted in the record.
std::optional<Insn> decode(Bytes bytes, std::uint32_t at);

constexpr bool is_direct_branch(Kind k) { return k >= Kind::JccShort && k <= Kind::Call; }
constexpr bool is_short_branch(Kind k) { return k == Kind::JccShort || k == Kind::JmpShort || k == Kind::Loop; }
// Nothing is executed behind it, except by a jump.
constexpr bool ends_flow(Kind k) {
  return k == Kind::JmpShort || k == Kind::JmpNear || k == Kind::JmpIndirect || k == Kind::Ret || k == Kind::Trap ||
         k == Kind::FarTransfer;
}
constexpr bool is_special(Kind k) { return k >= Kind::Syscall; }

// The displacement of a direct branch, sign-extended; the target is end() plus this. `bytes` begin with the
// instruction.
std::int64_t branch_displacement(const Insn& insn, Bytes bytes);
// Likewise of a rip-relative operand.
std::int64_t rip_displacement(const Insn& insn, Bytes bytes);

}  // namespace tmrec::patch
