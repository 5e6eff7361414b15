#include "simulated_cpu.h"

namespace tmrec::sched {
namespace {

using Op = Instruction::Op;

class Writer {
 public:
  explicit Writer(std::uint64_t seed) : chance_(seed) {}

  std::vector<Instruction> write() {
    // Two functions first, jumped over: one does nothing, so that calling it twice repeats every register.
    const std::size_t over = put({.op = Op::Jump});
    const std::uint64_t idle = put_at({.op = Op::Nothing});
    put({.op = Op::Return});
    const std::uint64_t busy = put_at({.op = Op::Mix, .a = pick(3), .b = pick(3)});
    const std::size_t skip = put({.op = Op::Branch, .a = pick(3), .operand = chance_() % 20});
    put({.op = Op::Add, .a = pick(3), .operand = 1 + chance_() % 9});
    code_[skip].to = next();
    put({.op = Op::Return});
    code_[over].to = next();
    functions_ = {idle, busy};

    put({.op = Op::Add, .a = 0, .operand = 3});
    const std::uint64_t again = next();
    for (int i = 0; i < 4; ++i) {
      block(0);
      put({.op = Op::Branch, .a = pick(3), .operand = chance_() % 20, .to = next() + 1});  // no round without a tick
    }
    put({.op = Op::Jump, .to = again});  // for ever
    return std::move(code_);
  }

 private:
  int pick(int n) { return static_cast<int>(chance_() % static_cast<std::uint64_t>(n)); }
  std::uint64_t next() const { return SimulatedCpu::kCode + code_.size(); }
  std::size_t put(Instruction in) {
    code_.push_back(in);
    return code_.size() - 1;
  }
  std::uint64_t put_at(Instruction in) { return SimulatedCpu::kCode + put(in); }

  // Loop counters are registers 3, 4 and 5, one for each depth; the rest computes in 0, 1 and 2.
  void block(int depth) {
    for (int i = 0, n = 2 + pick(4); i < n; ++i) {
      switch (chance_() % (depth < 3 ? 8 : 7)) {
        case 0:
          put({.op = Op::Add, .a = pick(3), .operand = chance_() % 100});
          break;
        case 1:
          put({.op = Op::Mix, .a = pick(3), .b = pick(3)});
          break;
        case 2:
          put({.op = Op::Load, .a = pick(3), .b = pick(3)});
          break;
        case 3:
          put({.op = Op::Store, .a = pick(3), .b = pick(3)});
          break;
        case 4:
          for (int calls = 1 + pick(3); calls > 0; --calls) put({.op = Op::Call, .to = functions_[0]});
          break;
        case 5:
          put({.op = Op::Call, .to = functions_[1]});
          break;
        case 6: {
          const std::size_t skip = put({.op = Op::Branch, .a = pick(3), .operand = chance_() % 20});
          put({.op = Op::Add, .a = pick(3), .operand = 7});
          code_[skip].to = next();
          break;
        }
        default: {
          put({.op = Op::Add, .a = 3 + depth, .operand = 1 + chance_() % 30});
          const std::uint64_t top = next();
          block(depth + 1);
          put({.op = Op::Loop, .a = 3 + depth, .to = top});
        }
      }
    }
  }

  std::mt19937_64 chance_;
  std::vector<Instruction> code_;
  std::array<std::uint64_t, 2> functions_{};
};

}  // namespace

std::vector<Instruction> random_program(std::uint64_t seed) { return Writer(seed).write(); }

}  // namespace tmrec::sched
