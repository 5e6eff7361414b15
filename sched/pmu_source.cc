#include "sched/pmu_source.h"

#include <array>
#include <utility>

#include "tracee/debug_registers.h"

namespace tmrec::sched {
namespace {

constexpr std::uint64_t kResumeFlag = 1u << 16;  // RF: the next instruction does not hit a breakpoint

bool is_synchronous(const siginfo_t& info) {
  switch (info.si_signo) {
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGTRAP:
    case SIGSYS:
      return info.si_code > 0;  // sigaction(2): by the kernel, not by kill or sigqueue
    default:
      return false;
  }
}

class PmuTicks final : public TickCounter {
 public:
  PmuTicks(PmuCounter counter, Ticks from, std::uint64_t skid_bound)
      : counter_(std::move(counter)), from_(from), skid_bound_(skid_bound) {}

  Result<Ticks> read() override {
    TMREC_TRY(const std::uint64_t counted, counter_.read());
    return Ticks(from_.value + counted);
  }
  Result<void> interrupt_after(std::uint64_t ticks) override { return counter_.interrupt_after(ticks); }
  bool is_interrupt(const siginfo_t& info) const override { return counter_.raised(info); }
  Arrival arrive(TaskControl& task, const TickTarget& target) override {
    PmuMachine machine(task, counter_, from_);
    return sched::arrive(machine, target, {.skid_bound = skid_bound_});
  }

 private:
  PmuCounter counter_;
  Ticks from_;
  std::uint64_t skid_bound_;
};

}  // namespace

PmuSource::PmuSource(std::string name, PmuDevice device, PmuEvent event)
    : name_(std::move(name)), device_(std::move(device)), event_(event) {}

Result<std::unique_ptr<TickCounter>> PmuSource::start(tracee::Stopped& task, Ticks from) {
  TMREC_TRY(PmuCounter counter, PmuCounter::open(device_.type, event_.config, task.tid()));
  TMREC_CHECKED(counter.send_interrupts_to(task.tid()));
  TMREC_CHECKED(counter.enable());
  return std::make_unique<PmuTicks>(std::move(counter), from, event_.skid_bound);
}

PmuMachine::PmuMachine(TaskControl& task, PmuCounter& counter, Ticks from)
    : task_(task), counter_(counter), from_(from), mask_(task.stopped().signal_mask()) {
  task_.stopped().set_signal_mask(mask_ & ~(1ull << (kCounterSignal - 1)));
}

PmuMachine::~PmuMachine() {
  try {
    set_breakpoint(std::nullopt);
    task_.stopped().set_signal_mask(mask_);
  } catch (const tracee::TaskDied&) {
    // Its end arrives by itself.
  }
}

Result<Ticks> PmuMachine::ticks() {
  TMREC_TRY(const std::uint64_t counted, counter_.read());
  return Ticks(from_.value + counted);
}

Regs PmuMachine::regs() { return task_.stopped().regs(); }

std::optional<std::uint64_t> PmuMachine::word(RemoteAddr at) { return task_.memory().get<std::uint64_t>(at); }

Result<void> PmuMachine::interrupt_after(std::uint64_t ticks) { return counter_.interrupt_after(ticks); }

ArrivalStop PmuMachine::run(std::optional<RemoteAddr> breakpoint) {
  if (!set_breakpoint(breakpoint)) return {ArrivalStop::Kind::NoBreakpoint};
  if (breakpoint) {
    Regs regs = task_.stopped().regs();
    if (regs.rip == breakpoint->value && (regs.eflags & kResumeFlag) == 0) {
      if (before_system_call()) return {ArrivalStop::Kind::Syscall};
      regs.eflags |= kResumeFlag;
      task_.stopped().set_regs(regs);
    }
  }
  return decode(task_.run(tracee::Resume::EmulateCalls));
}

ArrivalStop PmuMachine::step() {
  if (!set_breakpoint(std::nullopt)) return {ArrivalStop::Kind::NoBreakpoint};
  // A single step would make the call.
  if (before_system_call()) return {ArrivalStop::Kind::Syscall};
  return decode(task_.run(tracee::Resume::Step));
}

bool PmuMachine::set_breakpoint(std::optional<RemoteAddr> at) {
  if (at == breakpoint_) return true;
  if (!tracee::set_breakpoint(task_.stopped(), at)) return false;
  breakpoint_ = at;
  return true;
}

bool PmuMachine::before_system_call() {
  using Code = std::array<std::uint8_t, 2>;
  const std::optional<Code> code = task_.memory().get<Code>(RemoteAddr(task_.stopped().regs().rip));
  // syscall, sysenter, int 80h
  return code && (*code == Code{0x0f, 0x05} || *code == Code{0x0f, 0x34} || *code == Code{0xcd, 0x80});
}

ArrivalStop PmuMachine::decode(const tracee::Stop& stop) {
  using Kind = ArrivalStop::Kind;
  switch (stop.kind) {
    case tracee::Stop::Kind::Syscall:
      return {Kind::Syscall};
    case tracee::Stop::Kind::Exiting:
    case tracee::Stop::Kind::Exited:
      return {Kind::Ended};
    case tracee::Stop::Kind::Signal:
      break;
    default:
      return {Kind::Interrupt};  // a stop that executes and delivers nothing
  }
  const siginfo_t info = task_.stopped().siginfo();
  if (counter_.raised(info)) return {Kind::Interrupt};
  if (info.si_signo == SIGTRAP && info.si_code == TRAP_HWBKPT && breakpoint_) return {Kind::Breakpoint};
  if (info.si_signo == SIGTRAP && info.si_code == TRAP_TRACE) return {Kind::Stepped};
  return {is_synchronous(info) ? Kind::Fault : Kind::Signal, stop.signal};
}

static_assert(ArrivalMachine<PmuMachine>);

}  // namespace tmrec::sched
