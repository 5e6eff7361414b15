#include "sched/counted_task.h"

#include "sched/pmu_counter.h"
#include "tracee/debug_registers.h"
#include "tracee/opcode.h"

namespace tmrec::sched {

using tracee::Opcode;

namespace {

constexpr std::uint64_t kResumeFlag = 1u << 16;  // RF: the next instruction does not hit a breakpoint

}  // namespace

CountedTask::~CountedTask() {
  try {
    set_breakpoint(std::nullopt);
  } catch (const tracee::TaskDied&) {
    // Its end arrives by itself.
  }
}

ArrivalStop CountedTask::run(std::optional<RemoteAddr> breakpoint) {
  if (!set_breakpoint(breakpoint)) return {ArrivalStop::Kind::NoBreakpoint};
  if (breakpoint) {
    Regs regs = task_.stopped().regs();
    if (regs.rip == breakpoint->value && (regs.eflags & kResumeFlag) == 0) {
      if (tracee::opcode_at(task_.memory(), regs.rip).kind == Opcode::Kind::Call) return {ArrivalStop::Kind::Syscall};
      regs.eflags |= kResumeFlag;
      task_.stopped().set_regs(regs);
    }
  }
  return decode(counter_.run(task_, tracee::Resume::EmulateCalls, 0));
}

// Emulated: behind an emulated call, a plain step would stop before it has executed anything.
ArrivalStop CountedTask::step() {
  if (!set_breakpoint(std::nullopt)) return {ArrivalStop::Kind::NoBreakpoint};
  const Regs before = task_.stopped().regs();
  const Opcode opcode = tracee::upcoming(task_.memory(), before);
  if (opcode.kind == Opcode::Kind::Call) return {ArrivalStop::Kind::Syscall};
  if (opcode.kind == Opcode::Kind::Repeated) return over_repeated(before.rip + opcode.length);
  const ArrivalStop stop = decode(counter_.run(task_, tracee::Resume::StepEmulated, 0));
  // Whatever stop was reported first.
  const bool pushed = opcode.kind == Opcode::Kind::PushFlags && regs().rip != before.rip;
  if (pushed && (before.eflags & tracee::kTrapFlag) == 0) tracee::take_back_trap_flag(task_.memory(), regs());
  return stop;
}

ArrivalStop CountedTask::over_repeated(std::uint64_t behind) {
  if (!set_breakpoint(RemoteAddr(behind))) return {ArrivalStop::Kind::NoBreakpoint};
  ArrivalStop stop = decode(counter_.run(task_, tracee::Resume::EmulateCalls, 0));
  if (stop.kind == ArrivalStop::Kind::Breakpoint) stop.kind = ArrivalStop::Kind::Stepped;
  return stop;
}

bool CountedTask::set_breakpoint(std::optional<RemoteAddr> at) {
  if (at == breakpoint_) return true;
  if (!tracee::set_breakpoint(task_.stopped(), at)) return false;
  breakpoint_ = at;
  return true;
}

ArrivalStop CountedTask::decode(const tracee::Stop& stop) {
  using Kind = ArrivalStop::Kind;
  switch (stop.kind) {
    case tracee::Stop::Kind::Syscall:
      return {Kind::Syscall};
    case tracee::Stop::Kind::Exiting:
    case tracee::Stop::Kind::Exited:
      return {Kind::Ended};
    case tracee::Stop::Kind::GroupStop:
      return {Kind::GroupStop};
    case tracee::Stop::Kind::Signal:
      break;
    default:
      return {Kind::Interrupt};  // a stop that executes and delivers nothing
  }
  const siginfo_t info = task_.stopped().siginfo();
  if (counter_.is_interrupt(info)) return {Kind::Interrupt};
  if (info.si_signo == SIGTRAP && info.si_code == TRAP_HWBKPT && breakpoint_) return {Kind::Breakpoint};
  if (info.si_signo == SIGTRAP && info.si_code == TRAP_TRACE) return {Kind::Stepped};
  if (tracee::raised_by_instruction(info)) return {Kind::Fault, stop.signal};
  held_.push_back(info);
  return {Kind::Signal, stop.signal};
}

Arrival bring_to(TaskControl& task, TickCounter& counter, const TickTarget& target, std::uint64_t skid_bound) {
  const std::uint64_t mask = task.stopped().signal_mask();
  task.stopped().set_signal_mask(mask & ~(1ull << (kCounterSignal - 1)));
  CountedTask machine(task, counter);
  Arrival arrival = arrive(machine, target, {.skid_bound = skid_bound});
  task.stopped().set_signal_mask(mask);
  return arrival;
}

}  // namespace tmrec::sched
