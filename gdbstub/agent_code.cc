#include "gdbstub/agent_code.h"

#include <cstring>
#include <initializer_list>
#include <map>

#include "gdbstub/agent_operations.h"

namespace tmrec::gdbstub {

namespace {

using Op = AgentOperation;

constexpr std::size_t kRip = 16;  // gdb's number

class Compilation {
 public:
  Compilation(std::string_view expression, std::uint64_t rip, std::vector<std::uint8_t>& code,
              std::vector<std::size_t>& to_end)
      : expression_(expression), rip_(rip), code_(code), to_end_(to_end) {}

  // Appends it, falling through with its value in rax.
  bool run();

 private:
  // A place of the expression that is jumped to.
  struct Label {
    std::size_t depth;
    std::vector<std::size_t> jumps;  // displacements to fill in
  };

  void raw(std::initializer_list<std::uint8_t> bytes) { code_.insert(code_.end(), bytes); }
  template <class T>
  void word(T value) {
    const std::size_t at = code_.size();
    code_.resize(at + sizeof value);
    std::memcpy(code_.data() + at, &value, sizeof value);
  }
  std::size_t jump(std::initializer_list<std::uint8_t> opcode) {
    raw(opcode);
    word(std::uint32_t{0});
    return code_.size() - 4;
  }
  void land(std::size_t displacement) {
    const auto distance = static_cast<std::uint32_t>(code_.size() - displacement - 4);
    std::memcpy(code_.data() + displacement, &distance, sizeof distance);
  }
  std::optional<std::uint64_t> operand(std::size_t bytes) {
    if (expression_.size() - at_ < bytes) return std::nullopt;
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < bytes; ++i) value = value << 8 | static_cast<std::uint8_t>(expression_[at_++]);
    return value;
  }
  bool pops(std::size_t count) {
    if (depth_ < count) return false;
    depth_ -= count;
    return true;
  }
  bool pushes() { return ++depth_ <= kAgentCodeStack / 8; }
  bool push_rax() {
    raw({0x50});
    return pushes();
  }
  bool go_to(std::optional<std::uint64_t> to, std::size_t displacement);
  bool come_to_label();
  bool push_register();
  bool refer(std::size_t size);
  bool extend(bool with_sign);
  bool on_one(std::initializer_list<std::uint8_t> instructions);
  bool on_two(std::initializer_list<std::uint8_t> instructions);
  bool compare(std::uint8_t set_opcode) {  // cmp; setcc %al; movzbl %al,%eax
    return on_two({0x48, 0x39, 0xc8, 0x0f, set_opcode, 0xc0, 0x0f, 0xb6, 0xc0});
  }
  bool divide(Op op);
  bool rearrange(Op op);
  bool arithmetic(Op op);
  bool translate(Op op);

  std::string_view expression_;
  std::uint64_t rip_;
  std::vector<std::uint8_t>& code_;
  std::vector<std::size_t>& to_end_;  // jumps to the end of all, where rax is not 0
  std::size_t at_ = 0, depth_ = 0;
  bool reached_ = true;  // something leads to here
  std::vector<std::size_t> ends_;
  std::map<std::size_t, Label> labels_;
};

bool Compilation::run() {
  while (at_ < expression_.size()) {
    if (!come_to_label()) return false;
    const auto op = static_cast<Op>(expression_[at_++]);
    if (op != Op::End) {
      if (!translate(op)) return false;
      continue;
    }
    if (!pops(1)) return false;
    raw({0x58});  // pop %rax
    ends_.push_back(jump({0xe9}));
    reached_ = false;
  }
  // A label that is left is in the middle of an operation.
  if (reached_ || ends_.empty() || !labels_.empty()) return false;
  for (const std::size_t end : ends_) land(end);
  return true;
}

// False: nothing leads to here, so that nothing is known of the stack.
bool Compilation::come_to_label() {
  const auto label = labels_.find(at_);
  if (label == labels_.end()) return reached_;
  if (reached_ && depth_ != label->second.depth) return false;
  depth_ = label->second.depth;
  reached_ = true;
  for (const std::size_t each : label->second.jumps) land(each);
  labels_.erase(label);
  return true;
}

bool Compilation::go_to(std::optional<std::uint64_t> to, std::size_t displacement) {
  if (!to || *to < at_ || *to >= expression_.size()) return false;
  const auto [label, is_new] = labels_.try_emplace(*to, Label{depth_, {}});
  label->second.jumps.push_back(displacement);
  return is_new || label->second.depth == depth_;
}

bool Compilation::push_register() {
  const auto number = operand(2);
  if (!number) return false;
  if (*number == kRip) {
    raw({0x48, 0xb8});  // movabs $rip,%rax
    word(rip_);
  } else if (*number < kAgentCodeRegisters) {
    raw({0x48, 0x8b, 0x83});  // mov number * 8(%rbx),%rax
    word(static_cast<std::uint32_t>(*number * 8));
  } else {
    return false;
  }
  return push_rax();
}

bool Compilation::refer(std::size_t size) {
  switch (size) {
    case 1:
      return on_one({0x0f, 0xb6, 0x00});  // movzbl (%rax),%eax
    case 2:
      return on_one({0x0f, 0xb7, 0x00});  // movzwl (%rax),%eax
    case 4:
      return on_one({0x8b, 0x00});  // mov (%rax),%eax
    default:
      return on_one({0x48, 0x8b, 0x00});  // mov (%rax),%rax
  }
}

bool Compilation::extend(bool with_sign) {
  const auto bits = operand(1);
  if (!bits || *bits == 0 || *bits > 64) return false;
  const auto up = static_cast<std::uint8_t>(64 - *bits);
  // shl; sar or shr
  return on_one({0x48, 0xc1, 0xe0, up, 0x48, 0xc1, static_cast<std::uint8_t>(with_sign ? 0xf8 : 0xe8), up});
}

bool Compilation::on_one(std::initializer_list<std::uint8_t> instructions) {
  if (!pops(1)) return false;
  raw({0x58});  // pop %rax
  raw(instructions);
  return push_rax();
}

bool Compilation::on_two(std::initializer_list<std::uint8_t> instructions) {
  if (!pops(2)) return false;
  raw({0x59, 0x58});  // pop %rcx; pop %rax
  raw(instructions);
  return push_rax();
}

// By 0 it must not come to an exception; nor by -1, which is the one quotient that may not fit.
bool Compilation::divide(Op op) {
  if (!pops(2)) return false;
  raw({0x59, 0x58, 0x48, 0x85, 0xc9, 0x75, 10});  // pop %rcx; pop %rax; test %rcx,%rcx; jne over
  raw({0xb8, 1, 0, 0, 0});                        // mov $1,%eax
  to_end_.push_back(jump({0xe9}));
  const bool remainder = op == Op::RemSigned || op == Op::RemUnsigned;
  if (op == Op::DivUnsigned || op == Op::RemUnsigned) {
    raw({0x31, 0xd2, 0x48, 0xf7, 0xf1});  // xor %edx,%edx; div %rcx
    if (remainder) raw({0x48, 0x89, 0xd0});
  } else {
    raw({0x48, 0x83, 0xf9, 0xff, 0x75, 5});  // cmp $-1,%rcx; jne over
    if (remainder) {
      raw({0x31, 0xc0, 0x90});  // xor %eax,%eax
    } else {
      raw({0x48, 0xf7, 0xd8});  // neg %rax
    }
    raw({0xeb, static_cast<std::uint8_t>(remainder ? 8 : 5)});
    raw({0x48, 0x99, 0x48, 0xf7, 0xf9});  // cqto; idiv %rcx
    if (remainder) raw({0x48, 0x89, 0xd0});
  }
  return push_rax();
}

bool Compilation::arithmetic(Op op) {
  switch (op) {
    case Op::Add:
      return on_two({0x48, 0x01, 0xc8});
    case Op::Sub:
      return on_two({0x48, 0x29, 0xc8});
    case Op::Mul:
      return on_two({0x48, 0x0f, 0xaf, 0xc1});
    case Op::DivSigned:
    case Op::DivUnsigned:
    case Op::RemSigned:
    case Op::RemUnsigned:
      return divide(op);
    case Op::Lsh:  // the processor looks at six bits of the count: shl; cmp $63,%rcx; jbe over; xor %eax,%eax
      return on_two({0x48, 0xd3, 0xe0, 0x48, 0x83, 0xf9, 63, 0x76, 2, 0x31, 0xc0});
    case Op::RshUnsigned:
      return on_two({0x48, 0xd3, 0xe8, 0x48, 0x83, 0xf9, 63, 0x76, 2, 0x31, 0xc0});
    case Op::RshSigned:  // cmp $63,%rcx; jbe over; mov $63,%ecx; sar
      return on_two({0x48, 0x83, 0xf9, 63, 0x76, 5, 0xb9, 63, 0, 0, 0, 0x48, 0xd3, 0xf8});
    case Op::BitAnd:
      return on_two({0x48, 0x21, 0xc8});
    case Op::BitOr:
      return on_two({0x48, 0x09, 0xc8});
    case Op::BitXor:
      return on_two({0x48, 0x31, 0xc8});
    case Op::Equal:
      return compare(0x94);
    case Op::LessSigned:
      return compare(0x9c);
    case Op::LessUnsigned:
      return compare(0x92);
    case Op::LogNot:
      return on_one({0x48, 0x85, 0xc0, 0x0f, 0x94, 0xc0, 0x0f, 0xb6, 0xc0});
    case Op::BitNot:
      return on_one({0x48, 0xf7, 0xd0});
    default:
      return rearrange(op);
  }
}

bool Compilation::rearrange(Op op) {
  switch (op) {
    case Op::Dup:
      raw({0xff, 0x34, 0x24});  // push (%rsp)
      return depth_ > 0 && pushes();
    case Op::Pop:
      raw({0x58});
      return pops(1);
    case Op::Swap:
      raw({0x59, 0x58, 0x51, 0x50});  // pop %rcx; pop %rax; push %rcx; push %rax
      return depth_ >= 2;
    case Op::Rot:
      raw({0x59, 0x5a, 0x58, 0x51, 0x50, 0x52});  // pop %rcx; pop %rdx; pop %rax; push %rcx; push %rax; push %rdx
      return depth_ >= 3;
    case Op::Pick: {
      const auto below = operand(1);
      if (!below || *below >= depth_) return false;
      raw({0xff, 0xb4, 0x24});  // push below * 8(%rsp)
      word(static_cast<std::uint32_t>(*below * 8));
      return pushes();
    }
    default:
      return false;
  }
}

bool Compilation::translate(Op op) {
  if (const std::size_t width = width_of_constant(op)) {
    const auto value = operand(width);
    if (!value) return false;
    raw({0x48, 0xb8});  // movabs
    word(*value);
    return push_rax();
  }
  if (const std::size_t width = width_of_reference(op)) return refer(width);
  switch (op) {
    case Op::Reg:
      return push_register();
    case Op::Ext:
    case Op::ZeroExt:
      return extend(op == Op::Ext);
    case Op::IfGoto: {
      if (!pops(1)) return false;
      raw({0x58, 0x48, 0x85, 0xc0});  // pop %rax; test %rax,%rax
      const std::size_t leads = jump({0x0f, 0x85});
      return go_to(operand(2), leads);
    }
    case Op::Goto: {
      const std::size_t leads = jump({0xe9});
      const bool known = go_to(operand(2), leads);
      reached_ = false;
      return known;
    }
    default:
      return arithmetic(op);
  }
}

}  // namespace

std::optional<std::vector<std::uint8_t>> agent_code(const std::vector<std::string>& expressions, std::uint64_t rip) {
  std::vector<std::uint8_t> code;
  std::vector<std::size_t> to_end;
  for (const std::string& each : expressions) {
    if (!Compilation(each, rip, code, to_end).run()) return std::nullopt;
    if (&each == &expressions.back()) break;
    code.insert(code.end(), {0x48, 0x85, 0xc0, 0x0f, 0x85, 0, 0, 0, 0});  // test %rax,%rax; jne end
    to_end.push_back(code.size() - 4);
  }
  for (const std::size_t displacement : to_end) {
    const auto distance = static_cast<std::uint32_t>(code.size() - displacement - 4);
    std::memcpy(code.data() + displacement, &distance, sizeof distance);
  }
  return code;
}

}  // namespace tmrec::gdbstub
