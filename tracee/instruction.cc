#include "tracee/instruction.h"

#include <cpuid.h>
#include <x86intrin.h>

namespace tmrec::tracee {

std::optional<InstructionEvent::Kind> trapped_instruction(const siginfo_t& info, const Regs& regs,
                                                          const RemoteMemory& memory) {
  using Kind = InstructionEvent::Kind;
  if (info.si_signo != SIGSEGV || info.si_code != SI_KERNEL) return std::nullopt;
  Bytes code = memory.read_some(RemoteAddr(regs.rip), 3);
  if (code.size() < 2 || code[0] != 0x0f) return std::nullopt;
  if (code[1] == 0x31) return Kind::Rdtsc;
  if (code[1] == 0xa2) return Kind::Cpuid;
  if (code.size() == 3 && code[1] == 0x01 && code[2] == 0xf9) return Kind::Rdtscp;
  return std::nullopt;
}

Regs perform(InstructionEvent::Kind kind, Regs regs) {
  using Kind = InstructionEvent::Kind;
  switch (kind) {
    case Kind::Rdtsc:
    case Kind::Rdtscp: {
      unsigned processor = 0;
      std::uint64_t now = __rdtscp(&processor);
      regs.rax = now & 0xffffffff;
      regs.rdx = now >> 32;
      if (kind == Kind::Rdtscp) regs.rcx = processor;
      regs.rip += kind == Kind::Rdtscp ? 3 : 2;
      return regs;
    }
    case Kind::Cpuid: {
      unsigned a = 0, b = 0, c = 0, d = 0;
      __cpuid_count(static_cast<unsigned>(regs.rax), static_cast<unsigned>(regs.rcx), a, b, c, d);
      regs.rax = a;
      regs.rbx = b;
      regs.rcx = c;
      regs.rdx = d;
      regs.rip += 2;
      return regs;
    }
  }
  return regs;
}

}  // namespace tmrec::tracee
