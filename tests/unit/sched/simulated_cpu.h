// A small CPU with a counter of conditional branches whose interrupts come late at random, for the arrival logic.
//
// Instructions are one address apart; registers are the real ones, of which programs use six. Everything random comes
// from one seed, the program's own run from none: two runs of a program do the same, whatever stops them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "sched/arrival.h"

namespace tmrec::sched {

struct Instruction {
  enum class Op : std::uint8_t {
    Add,     // a += operand
    Mix,     // a = a * 5 + b
    Load,    // a = memory[b]
    Store,   // memory[b] = a
    Branch,  // to `to` unless (a >> operand) & 3 == 0
    Loop,    // --a, to `to` unless 0
    Jump,
    Call,
    Return,
    Nothing,
    Syscall,
    Trap
  } op = Op::Nothing;
  int a = 0, b = 0;
  std::uint64_t operand = 0, to = 0;

  bool conditional() const { return op == Op::Branch || op == Op::Loop; }
};

class SimulatedCpu {
 public:
  static constexpr std::uint64_t kCode = 0x400000, kData = 0x600000;
  static constexpr std::size_t kWords = 8;

  explicit SimulatedCpu(std::vector<Instruction> program) : program_(std::move(program)) {
    regs_.rip = kCode;
    regs_.rsp = 1000;
    regs_.orig_rax = ~0ull;
  }

  // Settings of the counter and of what happens from outside.
  std::uint64_t skid = 0;                         // an interrupt comes up to so many ticks late
  std::uint64_t beyond = 0;                       // and so many more, against the rules
  bool noisy = false;                             // stale interrupts and signals from elsewhere
  std::optional<std::uint64_t> counter_fails_at;  // executed instructions
  std::uint64_t longest_run = 1'000'000;
  std::mt19937_64 chance{1};

  std::uint64_t executed() const { return executed_; }
  std::uint64_t ticks_now() const { return ticks_; }

  // Executes one instruction; false at a system call, a fault or the end of the program.
  bool execute() {
    if (blocked()) return false;
    perform();
    return true;
  }

  // What ArrivalMachine wants.
  Result<Ticks> ticks() {
    if (counter_fails_at && executed_ >= *counter_fails_at) return fail(ErrorKind::System, "not counted all the time");
    return Ticks(ticks_);
  }
  Regs regs() const {
    Regs seen = regs_;
    if (noisy) seen.eflags |= (executed_ & 1) << 16;  // RF, which is no part of a place
    return seen;
  }
  std::optional<std::uint64_t> word(RemoteAddr at) const {
    if (at.value < kData || at.value >= kData + 8 * kWords) return std::nullopt;
    return memory_[(at.value - kData) / 8];
  }
  Result<void> interrupt_after(std::uint64_t ticks) {
    // One that has been raised and not delivered yet comes all the same.
    if (due_ && ticks_ >= asked_ && noisy && chance() % 2 == 0) stale_ = true;
    due_.reset();
    if (ticks != 0) ask(ticks);
    return {};
  }
  ArrivalStop run(std::optional<RemoteAddr> breakpoint) {
    for (std::uint64_t n = 0; n < longest_run; ++n) {
      if (n > 0 || !breakpoint) {
        // At one instruction, an interrupt may be seen before the breakpoint or after it.
        const bool interrupt_first = chance() % 2 == 0;
        if (interrupt_first && interrupted(n)) return {ArrivalStop::Kind::Interrupt};
        if (breakpoint && n > 0 && regs_.rip == breakpoint->value) return {ArrivalStop::Kind::Breakpoint};
        if (interrupted(n)) return {ArrivalStop::Kind::Interrupt};
      }
      if (noisy && n > 0 && chance() % 4000 == 0) return {ArrivalStop::Kind::Signal, 15};
      if (std::optional<ArrivalStop> stop = blocked()) return *stop;
      perform();
    }
    return {ArrivalStop::Kind::TimedOut};
  }
  ArrivalStop step() {
    if (std::exchange(stale_, false)) return {ArrivalStop::Kind::Interrupt};
    if (noisy && chance() % 50 == 0) return {ArrivalStop::Kind::Signal, 15};
    if (std::optional<ArrivalStop> stop = blocked()) return *stop;
    perform();
    return {ArrivalStop::Kind::Stepped};
  }

 private:
  using Op = Instruction::Op;

  std::uint64_t& reg(int n) {
    std::uint64_t* const six[] = {&regs_.rax, &regs_.rbx, &regs_.rcx, &regs_.rdx, &regs_.rsi, &regs_.rdi};
    return *six[n % 6];
  }

  const Instruction* here() const {
    const std::uint64_t index = regs_.rip - kCode;
    return index < program_.size() ? &program_[index] : nullptr;
  }

  std::optional<ArrivalStop> blocked() const {
    const Instruction* const next = here();
    if (!next) return ArrivalStop{ArrivalStop::Kind::Ended};
    if (next->op == Op::Syscall) return ArrivalStop{ArrivalStop::Kind::Syscall};
    if (next->op == Op::Trap) return ArrivalStop{ArrivalStop::Kind::Fault, 11};
    return std::nullopt;
  }

  void ask(std::uint64_t ticks) {
    period_ = ticks;
    asked_ = ticks_ + ticks;
    due_ = asked_ + (skid == 0 ? 0 : chance() % (skid + 1)) + beyond;
  }

  // Whether an interrupt is delivered before the next instruction; it goes on to count for the next one, as perf does.
  bool interrupted(std::uint64_t executed_in_run) {
    if (stale_ && executed_in_run > chance() % 3) return std::exchange(stale_, false);
    // Once due, also some instructions later, as long as the bound is kept.
    if (!due_ || ticks_ < *due_) return false;
    if (beyond == 0 && ticks_ < asked_ + skid && chance() % 3 == 0 && !(here() && here()->conditional())) return false;
    ask(period_);
    return true;
  }

  void perform() {
    const Instruction in = *here();
    ++executed_;
    ++regs_.rip;
    switch (in.op) {
      case Op::Add:
        reg(in.a) += in.operand;
        break;
      case Op::Mix:
        reg(in.a) = reg(in.a) * 5 + reg(in.b);
        break;
      case Op::Load:
        reg(in.a) = memory_[reg(in.b) % kWords];
        break;
      case Op::Store:
        memory_[reg(in.b) % kWords] = reg(in.a);
        break;
      case Op::Branch:
        ++ticks_;
        if ((reg(in.a) >> in.operand & 3) != 0) regs_.rip = in.to;
        break;
      case Op::Loop:
        ++ticks_;
        if (--reg(in.a) != 0) regs_.rip = in.to;
        break;
      case Op::Jump:
        regs_.rip = in.to;
        break;
      case Op::Call:
        stack_.push_back(regs_.rip);
        regs_.rsp -= 8;
        regs_.rip = in.to;
        break;
      case Op::Return:
        regs_.rip = stack_.empty() ? kCode : stack_.back();
        if (!stack_.empty()) {
          stack_.pop_back();
          regs_.rsp += 8;
        }
        break;
      default:
        break;
    }
  }

  std::vector<Instruction> program_;
  Regs regs_;
  std::array<std::uint64_t, kWords> memory_{};
  std::vector<std::uint64_t> stack_;
  std::uint64_t ticks_ = 0, executed_ = 0;
  std::uint64_t period_ = 0, asked_ = 0;
  std::optional<std::uint64_t> due_;
  bool stale_ = false;
};

static_assert(ArrivalMachine<SimulatedCpu>);

// A program of nested loops, branches, calls without branches (which repeat all registers) and stores. It runs long.
std::vector<Instruction> random_program(std::uint64_t seed);

}  // namespace tmrec::sched
