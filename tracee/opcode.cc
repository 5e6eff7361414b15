#include "tracee/opcode.h"

namespace tmrec::tracee {

Opcode opcode_at(const RemoteMemory& memory, std::uint64_t rip) {
  constexpr std::size_t kLongestInstruction = 15;
  const Bytes code = memory.read_some(RemoteAddr(rip), kLongestInstruction);
  bool repeats = false;
  std::size_t i = 0;
  for (; i < code.size(); ++i) {
    const std::uint8_t b = code[i];
    const bool rep = b == 0xf2 || b == 0xf3, rex = (b & 0xf0) == 0x40;
    const bool other = b == 0x66 || b == 0x67 || b == 0x2e || b == 0x36 || b == 0x3e || b == 0x26 || b == 0x64 ||
                       b == 0x65 || b == 0xf0;
    if (!rep && !rex && !other) break;
    repeats |= rep;
  }
  if (i == code.size()) return {};
  const std::uint8_t op = code[i], next = i + 1 < code.size() ? code[i + 1] : 0;
  const bool call = (op == 0x0f && (next == 0x05 || next == 0x34)) || (op == 0xcd && next == 0x80);
  if (call) return {Opcode::Kind::Call};
  if (op == 0x9c) return {Opcode::Kind::PushFlags};
  const bool string = (op >= 0xa4 && op <= 0xa7) || (op >= 0xaa && op <= 0xaf) || (op >= 0x6c && op <= 0x6f);
  if (repeats && string) return {Opcode::Kind::Repeated, i + 1};
  const bool conditional =
      (op >= 0x70 && op <= 0x7f) || (op >= 0xe0 && op <= 0xe3) || (op == 0x0f && (next & 0xf0) == 0x80);
  return {conditional ? Opcode::Kind::Conditional : Opcode::Kind::Plain};
}

Opcode upcoming(const RemoteMemory& memory, const Regs& regs) {
  constexpr std::int64_t kRestartSys = -512, kRestartBlock = -516;  // include/linux/errno.h
  const auto result = static_cast<std::int64_t>(regs.rax);
  const bool in_call = static_cast<std::int64_t>(regs.orig_rax) >= 0;
  if (in_call && result <= kRestartSys && result >= kRestartBlock) return {Opcode::Kind::Call};
  return opcode_at(memory, regs.rip);
}

void take_back_trap_flag(const RemoteMemory& memory, const Regs& after) {
  auto pushed = memory.get<std::uint16_t>(RemoteAddr(after.rsp));
  if (!pushed || (*pushed & kTrapFlag) == 0) return;
  *pushed = static_cast<std::uint16_t>(*pushed & ~kTrapFlag);
  memory.write(after.rsp, &*pushed, sizeof *pushed);
}

}  // namespace tmrec::tracee
