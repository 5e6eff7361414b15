#include "tracee/patch/effects.h"

#include <capstone/capstone.h>

#include <new>

namespace tmrec::patch {

struct Effects::Engine {
  csh handle = 0;
  cs_insn* insn = nullptr;

  Engine() {
    if (cs_open(CS_ARCH_X86, CS_MODE_64, &handle) != CS_ERR_OK) throw std::bad_alloc();
    cs_option(handle, CS_OPT_DETAIL, CS_OPT_ON);
    insn = cs_malloc(handle);
    if (!insn) throw std::bad_alloc();
  }
  ~Engine() {
    if (insn) cs_free(insn, 1);
    cs_close(&handle);
  }
  // The instruction, if Capstone finds one of the same length.
  const cs_insn* decode(Bytes bytes, unsigned length) {
    const std::uint8_t* code = bytes.data();
    std::size_t size = length;
    std::uint64_t address = 0;
    return cs_disasm_iter(handle, &code, &size, &address, insn) && insn->size == length ? insn : nullptr;
  }
};

Effects::Effects(const CodeMap& code) : code_(code), engine_(std::make_unique<Engine>()) {}
Effects::~Effects() = default;

Effects::Life Effects::life_at(std::uint32_t at) {
  auto [entry, fresh] = lives_.try_emplace(at, Life::Unclear);
  if (fresh) entry->second = follow(at);
  return entry->second;
}

Effects::Life Effects::follow(std::uint32_t at) {
  for (int steps = 0; steps < 24; ++steps) {
    if (!code_.starts().test(at)) return Life::Unclear;
    const Insn& insn = code_.insns()[code_.index_of(at)];
    switch (insn.kind) {
      case Kind::Call:
      case Kind::CallIndirect:
      case Kind::Ret:
      case Kind::Trap:
        return Life::Dead;
      case Kind::JccShort:
      case Kind::JccNear:
        return Life::Live;
      case Kind::JmpShort:
      case Kind::JmpNear: {
        std::int64_t t = code_.target(insn);
        if (t < 0) return Life::Unclear;
        at = static_cast<std::uint32_t>(t);
        continue;
      }
      // Through a slot of its own: a PLT entry, or a tail call.
      case Kind::JmpIndirect:
        return insn.rip_displacement != 0 ? Life::Dead : Life::Unclear;
      case Kind::Nop:
      case Kind::Endbr:
        break;
      case Kind::Plain:
        switch (flags_of(insn)) {
          case Flags::Overwritten:
            return Life::Dead;
          case Flags::Read:
            return Life::Live;
          case Flags::Unknown:
            return Life::Unclear;
          case Flags::Untouched:
            break;
        }
        break;
      default:
        return Life::Unclear;
    }
    at = insn.end();
  }
  return Life::Unclear;
}

// The commonest by their opcode bytes (Intel SDM volume 2); the rest is Capstone's.
Effects::Flags Effects::flags_of(const Insn& insn) {
  Bytes bytes = code_.bytes(insn);
  std::uint8_t op = bytes[insn.opcode];
  if (op < 0x40 && (op & 7) < 6) return Flags::Overwritten;  // add or adc sbb and sub xor cmp
  switch (op) {
    case 0x80:
    case 0x81:
    case 0x83:
    case 0x84:
    case 0x85:
    case 0xa8:
    case 0xa9:
      return Flags::Overwritten;
    case 0x63:
    case 0x88:
    case 0x89:
    case 0x8a:
    case 0x8b:
    case 0x8d:
    case 0xc6:
    case 0xc7:
      return Flags::Untouched;
    case 0xfe:
    case 0xff:
      return (bytes[insn.opcode + 1u] >> 3 & 7) < 2 ? Flags::Overwritten : Flags::Untouched;
    case 0xd2:
    case 0xd3:
      return Flags::Unknown;  // a shift by a count of zero changes no flag
    case 0x0f:
      switch (bytes[insn.opcode + 1u]) {
        case 0x10:
        case 0x11:
        case 0x28:
        case 0x29:
        case 0x6f:
        case 0x7f:
          return Flags::Untouched;
        case 0xb6:
        case 0xb7:
        case 0xbe:
        case 0xbf:
          return Flags::Untouched;
        case 0xa5:
        case 0xad:
          return Flags::Unknown;
        case 0x38:  // adcx, adox: Capstone doesn't say that adox reads OF
          if (bytes[insn.opcode + 2u] == 0xf6) return Flags::Unknown;
          break;
      }
      if ((bytes[insn.opcode + 1u] & 0xf0) == 0x40 || (bytes[insn.opcode + 1u] & 0xf0) == 0x90) return Flags::Read;
      break;
    default:
      if ((op >= 0x50 && op < 0x60) || (op >= 0xb0 && op < 0xc0)) return Flags::Untouched;
  }
  return ask_capstone(insn);
}

Effects::Flags Effects::ask_capstone(const Insn& insn) {
  const cs_insn* known = engine_->decode(code_.bytes(insn), insn.length);
  if (!known || cs_insn_group(engine_->handle, known, X86_GRP_FPU)) return Flags::Unknown;
  std::uint64_t f = known->detail->x86.eflags;
  constexpr std::uint64_t read = X86_EFLAGS_TEST_OF | X86_EFLAGS_TEST_SF | X86_EFLAGS_TEST_ZF | X86_EFLAGS_TEST_PF |
                                 X86_EFLAGS_TEST_AF | X86_EFLAGS_TEST_NT | X86_EFLAGS_TEST_RF | X86_EFLAGS_TEST_IF;
  if (known->id == X86_INS_LAHF || known->id == X86_INS_PUSHFQ || known->id == X86_INS_PUSHF || (f & read))
    return Flags::Read;
  bool of = f & (X86_EFLAGS_MODIFY_OF | X86_EFLAGS_RESET_OF | X86_EFLAGS_SET_OF | X86_EFLAGS_UNDEFINED_OF);
  bool sf = f & (X86_EFLAGS_MODIFY_SF | X86_EFLAGS_RESET_SF | X86_EFLAGS_SET_SF | X86_EFLAGS_UNDEFINED_SF);
  bool zf = f & (X86_EFLAGS_MODIFY_ZF | X86_EFLAGS_RESET_ZF | X86_EFLAGS_SET_ZF | X86_EFLAGS_UNDEFINED_ZF);
  bool pf = f & (X86_EFLAGS_MODIFY_PF | X86_EFLAGS_RESET_PF | X86_EFLAGS_SET_PF | X86_EFLAGS_UNDEFINED_PF);
  if (of && sf && zf && pf) return Flags::Overwritten;
  for (unsigned i = 0; i < known->detail->groups_count; ++i) {
    auto group = known->detail->groups[i];
    if (group == X86_GRP_JUMP || group == X86_GRP_CALL || group == X86_GRP_INT || group == X86_GRP_IRET)
      return Flags::Unknown;
  }
  return Flags::Untouched;
}

bool Effects::movable(const Insn& insn) {
  if (insn.odd) return false;
  switch (insn.kind) {
    case Kind::Plain:
    case Kind::JmpIndirect:
      break;
    case Kind::Nop:
    case Kind::Ret:
      return true;
    case Kind::JccShort:
    case Kind::JccNear:
    case Kind::JmpShort:
    case Kind::JmpNear:
    case Kind::Loop:
      return code_.target(insn) >= 0;
    default:
      return false;
  }
  const cs_insn* known = engine_->decode(code_.bytes(insn), insn.length);
  if (!known) return false;
  bool relative = false;
  for (unsigned i = 0; i < known->detail->x86.op_count; ++i) {
    const cs_x86_op& op = known->detail->x86.operands[i];
    relative |= op.type == X86_OP_MEM && (op.mem.base == X86_REG_RIP || op.mem.base == X86_REG_EIP);
  }
  // Capstone lists no operand for a few instructions; those with rip-relative ones then stay in place.
  return relative == (insn.rip_displacement != 0);
}

}  // namespace tmrec::patch
