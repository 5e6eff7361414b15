#include "sched/stepped_source.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <random>

#include "sched/counted_task.h"
#include "sched/pmu_counter.h"
#include "tracee/opcode.h"
#include "tracee/proc.h"

namespace tmrec::sched {

using tracee::Opcode;
using tracee::Resume;
using tracee::Stop;

namespace {

class SteppedTicks final : public TickCounter {
 public:
  SteppedTicks(pid_t tid, Ticks from, std::uint64_t skid_bound)
      : tid_(tid), now_(from.value), skid_bound_(skid_bound) {}

  Result<Ticks> read() override { return Ticks(now_); }

  Result<void> interrupt_after(std::uint64_t ticks) override {
    due_.reset();
    if (ticks != 0) due_ = now_ + ticks + std::uniform_int_distribution<std::uint64_t>(0, skid_bound_)(chance_);
    return {};
  }

  bool is_interrupt(const siginfo_t& info) const override {
    return info.si_signo == kCounterSignal && info.si_code == SI_QUEUE && info.si_value.sival_ptr == this;
  }

  Stop run(TaskControl& task, Resume how, int signal) override {
    const bool once = how == Resume::Step || how == Resume::StepEmulated;
    // Behind an emulated call a plain step would stop before it has executed anything.
    const Resume step = how == Resume::ToSyscall || how == Resume::Step ? Resume::Step : Resume::StepEmulated;
    for (;;) {
      if (due_ && now_ >= *due_) interrupt();
      const Regs before = task.stopped().regs();
      const Opcode opcode = tracee::upcoming(task.memory(), before);
      const bool calls = opcode.kind == Opcode::Kind::Call && !once;
      const Stop stop = task.run(calls ? how : step, std::exchange(signal, 0));
      const bool trapped = stop.kind == Stop::Kind::Signal && stop.signal == SIGTRAP;
      const bool stepped = trapped && task.stopped().siginfo().si_code == TRAP_TRACE;
      // Of an earlier step: nothing has been executed since.
      if (stepped && std::exchange(trap_waits_, false)) continue;
      if (calls) return stop;
      bool executed = stepped;
      // An interruption is reported before the trap of the step that was under way.
      const bool interruption = stop.kind == Stop::Kind::EventStop || stop.kind == Stop::Kind::GroupStop;
      if (interruption && !trap_waits_) executed = trap_waits_ = trap_is_pending();
      if (executed && opcode.kind == Opcode::Kind::Conditional) ++now_;
      if (executed && opcode.kind == Opcode::Kind::PushFlags && !once && (before.eflags & tracee::kTrapFlag) == 0) {
        tracee::take_back_trap_flag(task.memory(), task.stopped().regs());
      }
      if (once || !stepped || task.must_tell_of_step()) return stop;
    }
  }

  Arrival arrive(TaskControl& task, const TickTarget& target) override {
    return bring_to(task, *this, target, skid_bound_);
  }

 private:
  bool trap_is_pending() const {
    const auto pending = tracee::pending_signals(tid_);
    return pending && (*pending >> (SIGTRAP - 1) & 1) != 0;
  }

  void interrupt() {
    due_.reset();
    siginfo_t info{};
    info.si_signo = kCounterSignal;
    info.si_code = SI_QUEUE;
    info.si_value.sival_ptr = this;
    const auto group = tracee::thread_group_of(tid_);
    if (group) ::syscall(SYS_rt_tgsigqueueinfo, *group, tid_, kCounterSignal, &info);
  }

  pid_t tid_;
  std::uint64_t now_;
  std::uint64_t skid_bound_;
  std::optional<std::uint64_t> due_;
  bool trap_waits_ = false;  // of a step that has been counted
  std::mt19937_64 chance_{std::random_device()()};
};

}  // namespace

Result<std::unique_ptr<TickCounter>> SteppedSource::start(tracee::Stopped& task, Ticks from) {
  return std::make_unique<SteppedTicks>(task.tid(), from, skid_bound());
}

}  // namespace tmrec::sched
