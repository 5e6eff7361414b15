// The operations of agent expressions that tmrec knows (GDB manual, "Bytecode Descriptions").
#pragma once

#include <cstddef>
#include <cstdint>

namespace tmrec::gdbstub {

enum class AgentOperation : std::uint8_t {
  Add = 0x02,
  Sub = 0x03,
  Mul = 0x04,
  DivSigned = 0x05,
  DivUnsigned = 0x06,
  RemSigned = 0x07,
  RemUnsigned = 0x08,
  Lsh = 0x09,
  RshSigned = 0x0a,
  RshUnsigned = 0x0b,
  LogNot = 0x0e,
  BitAnd = 0x0f,
  BitOr = 0x10,
  BitXor = 0x11,
  BitNot = 0x12,
  Equal = 0x13,
  LessSigned = 0x14,
  LessUnsigned = 0x15,
  Ext = 0x16,
  Ref8 = 0x17,
  Ref16 = 0x18,
  Ref32 = 0x19,
  Ref64 = 0x1a,
  IfGoto = 0x20,
  Goto = 0x21,
  Const8 = 0x22,
  Const16 = 0x23,
  Const32 = 0x24,
  Const64 = 0x25,
  Reg = 0x26,
  End = 0x27,
  Dup = 0x28,
  Pop = 0x29,
  ZeroExt = 0x2a,
  Swap = 0x2b,
  Pick = 0x32,
  Rot = 0x33,
};

// Bytes that a constant has, or that a reference reads; 0: it is none.
constexpr std::size_t width_of_constant(AgentOperation op) {
  const bool is_one = op >= AgentOperation::Const8 && op <= AgentOperation::Const64;
  return is_one ? std::size_t{1} << (static_cast<int>(op) - static_cast<int>(AgentOperation::Const8)) : 0;
}
constexpr std::size_t width_of_reference(AgentOperation op) {
  const bool is_one = op >= AgentOperation::Ref8 && op <= AgentOperation::Ref64;
  return is_one ? std::size_t{1} << (static_cast<int>(op) - static_cast<int>(AgentOperation::Ref8)) : 0;
}

}  // namespace tmrec::gdbstub
