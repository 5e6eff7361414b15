#include "gdbstub/agent_expression.h"

#include <array>

#include "gdbstub/agent_operations.h"

namespace tmrec::gdbstub {

namespace {

constexpr int kMostSteps = 100'000;
constexpr std::size_t kMostStack = 256;

using Op = AgentOperation;

class Evaluation {
 public:
  Evaluation(std::string_view code, const AgentContext& context) : code_(code), context_(context) {}

  std::optional<std::uint64_t> run() {
    for (int steps = 0; steps < kMostSteps && at_ < code_.size(); ++steps) {
      const auto op = static_cast<Op>(code_[at_++]);
      if (op == Op::End) return depth_ == 0 ? std::nullopt : std::optional(stack_[depth_ - 1]);
      if (!execute(op)) return std::nullopt;
    }
    return std::nullopt;
  }

 private:
  bool push(std::uint64_t value) {
    if (depth_ == kMostStack) return false;
    stack_[depth_++] = value;
    return true;
  }
  // Behind the opcode, most significant byte first.
  std::optional<std::uint64_t> operand(std::size_t bytes) {
    if (code_.size() - at_ < bytes) return std::nullopt;
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < bytes; ++i) value = value << 8 | static_cast<std::uint8_t>(code_[at_++]);
    return value;
  }
  bool push_operand(std::size_t bytes) {
    const auto value = operand(bytes);
    return value && push(*value);
  }
  bool jump(std::optional<std::uint64_t> to, bool jumps) {
    if (!to || *to >= code_.size()) return false;
    if (jumps) at_ = *to;
    return true;
  }
  bool refer(std::size_t size) {
    if (depth_ == 0) return false;
    const auto value = context_.read_memory(stack_[depth_ - 1], size);
    if (value) stack_[depth_ - 1] = *value;
    return value.has_value();
  }
  bool extend(bool with_sign) {
    const auto bits = operand(1);
    if (!bits || *bits == 0 || *bits > 64 || depth_ == 0) return false;
    const int up = 64 - static_cast<int>(*bits);
    std::uint64_t& top = stack_[depth_ - 1];
    top = with_sign ? static_cast<std::uint64_t>(static_cast<std::int64_t>(top << up) >> up) : top << up >> up;
    return true;
  }
  bool execute(Op op);
  bool on_one(Op op);
  bool on_two(Op op);
  static std::optional<std::uint64_t> divided(Op op, std::uint64_t a, std::uint64_t b);

  std::string_view code_;
  const AgentContext& context_;
  std::size_t at_ = 0, depth_ = 0;
  std::array<std::uint64_t, kMostStack> stack_;
};

std::optional<std::uint64_t> Evaluation::divided(Op op, std::uint64_t a, std::uint64_t b) {
  if (b == 0) return std::nullopt;
  if (op == Op::DivUnsigned) return a / b;
  if (op == Op::RemUnsigned) return a % b;
  const auto left = static_cast<std::int64_t>(a), right = static_cast<std::int64_t>(b);
  if (right == -1) return op == Op::DivSigned ? 0 - a : 0;  // the only quotient that may not fit
  return static_cast<std::uint64_t>(op == Op::DivSigned ? left / right : left % right);
}

bool Evaluation::on_two(Op op) {
  if (depth_ < 2) return false;
  const std::uint64_t b = stack_[--depth_];
  std::uint64_t& a = stack_[depth_ - 1];
  const auto as_signed = static_cast<std::int64_t>(a);
  switch (op) {
    case Op::Add:
      a += b;
      return true;
    case Op::Sub:
      a -= b;
      return true;
    case Op::Mul:
      a *= b;
      return true;
    case Op::DivSigned:
    case Op::DivUnsigned:
    case Op::RemSigned:
    case Op::RemUnsigned: {
      const auto result = divided(op, a, b);
      a = result.value_or(0);
      return result.has_value();
    }
    case Op::Lsh:
      a = b < 64 ? a << b : 0;
      return true;
    case Op::RshSigned:
      a = static_cast<std::uint64_t>(as_signed >> (b < 64 ? b : 63));
      return true;
    case Op::RshUnsigned:
      a = b < 64 ? a >> b : 0;
      return true;
    case Op::BitAnd:
      a &= b;
      return true;
    case Op::BitOr:
      a |= b;
      return true;
    case Op::BitXor:
      a ^= b;
      return true;
    case Op::Equal:
      a = a == b ? 1 : 0;
      return true;
    case Op::LessSigned:
      a = as_signed < static_cast<std::int64_t>(b) ? 1 : 0;
      return true;
    case Op::LessUnsigned:
      a = a < b ? 1 : 0;
      return true;
    default:
      return false;
  }
}

bool Evaluation::on_one(Op op) {
  if (depth_ == 0) return false;
  std::uint64_t& top = stack_[depth_ - 1];
  switch (op) {
    case Op::LogNot:
      top = top == 0 ? 1 : 0;
      return true;
    case Op::BitNot:
      top = ~top;
      return true;
    case Op::Dup:
      return push(std::uint64_t{top});
    case Op::Pop:
      --depth_;
      return true;
    case Op::IfGoto:
      --depth_;
      return jump(operand(2), stack_[depth_] != 0);
    default:
      return on_two(op);
  }
}

bool Evaluation::execute(Op op) {
  if (const std::size_t width = width_of_constant(op)) return push_operand(width);
  if (const std::size_t width = width_of_reference(op)) return refer(width);
  switch (op) {
    case Op::Reg: {
      const auto number = operand(2);
      const auto value = number ? context_.get_register(*number) : std::nullopt;
      return value && push(*value);
    }
    case Op::Ext:
    case Op::ZeroExt:
      return extend(op == Op::Ext);
    case Op::Goto:
      return jump(operand(2), true);
    case Op::Pick: {
      const auto below = operand(1);
      return below && *below < depth_ && push(std::uint64_t{stack_[depth_ - 1 - *below]});
    }
    case Op::Swap:
      if (depth_ < 2) return false;
      std::swap(stack_[depth_ - 1], stack_[depth_ - 2]);
      return true;
    case Op::Rot: {  // a b c  =>  c a b
      if (depth_ < 3) return false;
      const std::uint64_t c = stack_[depth_ - 1];
      stack_[depth_ - 1] = stack_[depth_ - 2];
      stack_[depth_ - 2] = stack_[depth_ - 3];
      stack_[depth_ - 3] = c;
      return true;
    }
    default:
      return on_one(op);
  }
}

}  // namespace

std::optional<std::uint64_t> evaluate(std::string_view expression, const AgentContext& context) {
  return Evaluation(expression, context).run();
}

}  // namespace tmrec::gdbstub
