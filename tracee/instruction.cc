#include "tracee/instruction.h"

#include <cpuid.h>
#include <x86intrin.h>

#include "tracee/broken.h"

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
    default:
      throw_broken("an instruction that is not performed here");
  }
}

namespace {

// Intel SDM volume 2: ModRM.rm with REX.B names the register of rdrand, rdseed (operand size by 66 and REX.W) and rdpid
// (always 64 bits).
struct Destination {
  std::uint64_t* slot = nullptr;
  unsigned bits = 32;
};

std::uint64_t* general_register(Regs& regs, unsigned number) {
  std::uint64_t* const all[] = {&regs.rax, &regs.rcx, &regs.rdx, &regs.rbx, &regs.rsp, &regs.rbp, &regs.rsi, &regs.rdi,
                                &regs.r8,  &regs.r9,  &regs.r10, &regs.r11, &regs.r12, &regs.r13, &regs.r14, &regs.r15};
  return all[number & 15];
}

Destination destination_of(const std::vector<std::uint8_t>& code, Regs& regs) {
  Destination to;
  unsigned extension = 0;
  for (std::size_t i = 0; i + 2 < code.size(); ++i) {
    if (code[i] == 0x66 && to.bits == 32) to.bits = 16;
    if ((code[i] & 0xf0) == 0x40) {
      extension = (code[i] & 1u) << 3;
      if ((code[i] & 8) != 0) to.bits = 64;
    }
    if (code[i] != 0x0f || code[i + 1] != 0xc7) continue;
    if ((code[i + 2] & 0xc0) == 0xc0) to.slot = general_register(regs, extension | (code[i + 2] & 7u));
    break;
  }
  return to;
}

void store(const Destination& to, std::uint64_t value) {
  if (to.bits == 16) {
    *to.slot = (*to.slot & ~std::uint64_t{0xffff}) | (value & 0xffff);
  } else {
    *to.slot = to.bits == 32 ? value & 0xffffffff : value;
  }
}

struct CpuCan {
  bool rdrand = false, rdseed = false, rdpid = false, xgetbv = false;
};

const CpuCan& this_cpu() {
  static const CpuCan can = [] {
    CpuCan found;
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (__get_cpuid(1, &a, &b, &c, &d) != 0) {
      found.rdrand = (c & bit_RDRND) != 0;
      found.xgetbv = (c & bit_OSXSAVE) != 0;
    }
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d) != 0) {
      found.rdseed = (b & bit_RDSEED) != 0;
      found.rdpid = (c & bit_RDPID) != 0;
    }
    return found;
  }();
  return can;
}

struct Random {
  std::uint64_t value = 0;
  bool valid = false;
};

Random random_number(bool seed) {
  Random random;
  if (seed) {
    asm volatile("rdseed %0; setc %1" : "=r"(random.value), "=qm"(random.valid) : : "cc");
  } else {
    asm volatile("rdrand %0; setc %1" : "=r"(random.value), "=qm"(random.valid) : : "cc");
  }
  return random;
}

// Both clear OF, SF, ZF, AF and PF; CF says whether there was a number, and without one the destination is 0.
void perform_random(const Destination& to, bool seed, Regs& regs) {
  constexpr std::uint64_t kCarry = 1, kArithmetic = 0x8d5;  // CF PF AF ZF SF OF
  const Random random = random_number(seed);
  store(to, random.valid ? random.value : 0);
  regs.eflags = (regs.eflags & ~kArithmetic) | (random.valid ? kCarry : 0);
}

bool perform_here(patch::SiteKind kind, const std::vector<std::uint8_t>& code, bool tsc_faults,
                  InstructionEvent& event) {
  using patch::SiteKind;
  const InstructionEvent::Kind what = kind_of(kind);
  Regs after = event.before;
  const Destination to = destination_of(code, after);
  switch (kind) {
    case SiteKind::Rdtsc:
    case SiteKind::Rdtscp:
      if (tsc_faults) return false;
      after = perform(what, after);
      break;
    case SiteKind::Cpuid:
      after = perform(what, after);
      break;
    case SiteKind::Rdpid: {
      if (!this_cpu().rdpid || to.slot == nullptr) return false;
      std::uint64_t number = 0;
      asm volatile("rdpid %0" : "=r"(number));
      *to.slot = number;
      break;
    }
    case SiteKind::Rdrand:
    case SiteKind::Rdseed: {
      const bool seed = kind == SiteKind::Rdseed;
      if (!(seed ? this_cpu().rdseed : this_cpu().rdrand) || to.slot == nullptr) return false;
      perform_random(to, seed, after);
      break;
    }
    case SiteKind::Xgetbv: {
      const auto which = static_cast<std::uint32_t>(after.rcx);
      if (!this_cpu().xgetbv || which != 0) return false;  // others may fault
      std::uint32_t low = 0, high = 0;
      asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(which));
      after.rax = low;
      after.rdx = high;
      break;
    }
    default:
      return false;
  }
  event.kind = what;
  event.after = after;
  return true;
}

}  // namespace

InstructionEvent answer_special(const PatchedModule& module, const patch::Stop& stop, const Regs& at_copy,
                                bool tsc_faults) {
  InstructionEvent event{InstructionEvent::Kind::Other, at_copy, at_copy};
  event.before.rip = module.text.value + stop.program;
  if (perform_here(stop.kind, module.plan->original(stop.program, stop.length), tsc_faults, event)) {
    event.after.rip = module.block.value + stop.resume;
  }
  return event;
}

InstructionEvent::Kind kind_of(patch::SiteKind kind) {
  using Kind = InstructionEvent::Kind;
  using patch::SiteKind;
  switch (kind) {
    case SiteKind::Rdtsc:
      return Kind::Rdtsc;
    case SiteKind::Rdtscp:
      return Kind::Rdtscp;
    case SiteKind::Cpuid:
      return Kind::Cpuid;
    case SiteKind::Rdpid:
      return Kind::Rdpid;
    case SiteKind::Rdrand:
      return Kind::Rdrand;
    case SiteKind::Rdseed:
      return Kind::Rdseed;
    case SiteKind::Xgetbv:
      return Kind::Xgetbv;
    default:
      return Kind::Other;
  }
}

const char* name_of(InstructionEvent::Kind kind) {
  using Kind = InstructionEvent::Kind;
  switch (kind) {
    case Kind::Rdtsc:
      return "rdtsc";
    case Kind::Rdtscp:
      return "rdtscp";
    case Kind::Cpuid:
      return "cpuid";
    case Kind::Rdpid:
      return "rdpid";
    case Kind::Rdrand:
      return "rdrand";
    case Kind::Rdseed:
      return "rdseed";
    case Kind::Xgetbv:
      return "xgetbv";
    case Kind::Other:
      break;
  }
  return "special instruction left to the program";
}

}  // namespace tmrec::tracee
