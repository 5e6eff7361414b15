// Ticks from a source that stops a task anywhere: a hardware counter.
//
// Its interrupts come late and in the middle of whatever the task does; only a place that replay finds again may be
// used. That is where a tick begins: an interrupted task is stepped there, usually a few instructions on, and what
// happens to it then (its turn ends, a handler begins) is at that place. A system call that comes before is a place as
// good. Interrupts are asked for when the task is resumed. While the program blocks their signal none are, since it
// would stay pending and be seen: then the heartbeat stops the task.
//
// Rejected: to keep the signal out of the program's mask. The mask shows in every frame, call and new thread.
#include <sys/syscall.h>

#include <algorithm>

#include <fmt/format.h>

#include "recorder/task_life.h"
#include "sched/counted_task.h"
#include "sched/pmu_counter.h"
#include "tracee/agent/agent.h"
#include "tracee/proc.h"

namespace tmrec::recorder {

using tracee::Resume;
using tracee::Stop;

namespace {

// While nobody waits, stops for nothing are far apart.
constexpr std::uint64_t kAlone = 16;
// Counters can't be asked for less than two events ahead (sched/arrival.h).
constexpr std::uint64_t kSoonest = 2;
// Instructions to the next tick. A stretch without one is looked at again at the next interruption, and further.
constexpr std::uint64_t kFirstSteps = 2000, kMostSteps = 200'000;

}  // namespace

// The task as its counter drives it: windows lead out of themselves.
class TaskLife::Driven final : public sched::TaskControl {
 public:
  explicit Driven(TaskLife& life) : life_(life) {}
  tracee::Stopped& stopped() override { return life_.stopped(); }
  const tracee::RemoteMemory& memory() override { return life_.memory(); }
  Stop run(Resume how, int signal) override {
    for (;;) {
      const Stop stop = life_.task_.run(how, signal);
      if (stop.kind != Stop::Kind::Signal) return stop;
      const siginfo_t info = stopped().siginfo();
      // The kernel's word for a step that ended with a system call, which has not executed anything more.
      if (info.si_signo == SIGTRAP && info.si_code == TRAP_BRKPT) return {.kind = Stop::Kind::EventStop};
      Regs now = stopped().regs();
      const auto way_out = life_.space_->patches.way_out(info, now);
      if (!way_out) return stop;
      now.rip = way_out->value;
      stopped().set_regs(now);
      signal = 0;
    }
  }

 private:
  TaskLife& life_;
};

// At a program's or a task's first instruction.
void TaskLife::start_counter(Ticks first) {
  sched::TickSource* const source = session_.tick_source();
  if (source == nullptr) return;
  auto counter = source->start(stopped(), first);
  if (!counter) throw sched::EndRecording{fmt::format("task {}: {}", tid(), counter.error().text)};
  counter_ = std::move(*counter);
  last_ticks_ = first;
  interrupt_set_ = false;
  slice_end_ = first.value + session_.slice();
}

Stop TaskLife::run_program(Resume how, int signal) {
  if (!counter_) return task_.run(how, signal);
  ask_for_interrupt();
  Driven driven(*this);
  return counter_->run(driven, how, signal);
}

void TaskLife::ask_for_interrupt() {
  const auto now = counter_->read();
  if (!now) throw sched::EndRecording{fmt::format("task {}: {}", tid(), now.error().text)};
  const bool blocked = (stopped().signal_mask() >> (sched::kCounterSignal - 1) & 1) != 0;
  if (blocked ? !interrupt_set_ : interrupt_set_ && now->value < interrupt_at_ && interrupt_at_ <= slice_end_) return;
  interrupt_at_ = std::max(slice_end_, now->value + kSoonest);
  interrupt_set_ = !blocked;
  if (auto asked = counter_->interrupt_after(blocked ? 0 : interrupt_at_ - now->value); !asked) {
    throw sched::EndRecording{fmt::format("task {}: {}", tid(), asked.error().text)};
  }
}

void TaskLife::interrupt_if_due() {
  if (!stops_anywhere() || !task_.is_computing() || (deferred_.empty() && !task_.others_wait())) return;
  interrupted_by_us_ = true;
  task_.interrupt();
}

// At a system call: an interrupt that came in its last instructions must not reach the call.
bool TaskLife::interrupt_waits() {
  if (!counter_) return false;
  const Ticks now = ticks();  // in any case: while the call waits nobody can ask
  if (!interrupt_set_ || now.value < interrupt_at_) return false;
  const auto pending = tracee::pending_signals(tid());
  return pending && (*pending >> (sched::kCounterSignal - 1) & 1) != 0;
}

// Somewhere in the program, or where its last event left it.
int TaskLife::on_interrupt() {
  interrupt_set_ = false;
  if (deferred_.empty() && !task_.others_wait()) {
    slice_end_ = ticks().value + kAlone * session_.slice();
    return 0;
  }
  const Regs now = stopped().regs();
  if (!is_at_boundary(now)) return settle();
  if (!at_syscall_ || !deferred_.empty()) return give_turn(now);
  exhausted_ = true;  // behind the call
  return 0;
}

// To the next place that replay can find again; what waits for the task happens there. Returns the signal to resume
// with.
int TaskLife::settle() {
  interrupt_set_ = interrupted_by_us_ = false;
  settle_steps_ = std::clamp(settle_steps_, kFirstSteps, kMostSteps);
  std::optional<Regs> place;
  bool other = false;
  {
    Driven driven(*this);
    sched::CountedTask machine(driven, *counter_);
    do {
      auto settled = sched::settle(machine, settle_steps_);
      if (!settled) throw sched::EndRecording{fmt::format("task {}: {}", tid(), settled.error().text)};
      for (const siginfo_t& info : machine.take_held()) defer(info);
      other = settled->stop && settled->stop->kind != sched::ArrivalStop::Kind::Syscall;
      place.reset();
      if (settled->place && settled->place->instructions) place = settled->place->regs;
      if (!settled->stop && !place) settle_steps_ *= 4;
    } while (place && (agent::is_code(place->rip) || !space_->patches.is_original(place->rip)));
  }
  if (other) return handle(task_.last_stop());
  if (!place) {
    exhausted_ = task_.others_wait();  // behind the call that comes
    slice_end_ = ticks().value + session_.slice();
    return 0;
  }
  settle_steps_ = 0;
  log_tick(*place);
  stand_at(*place);
  at_syscall_ = false;
  return give_turn(*place);
}

int TaskLife::give_turn(const Regs& here) {
  slice_end_ = ticks().value + session_.slice();
  if (deferred_.empty()) {
    task_.yield(SwitchEvent::Reason::SliceEnd);
    return 0;
  }
  // From the stop in front of a signal another one would be delivered unseen: one at a call is as good as any.
  if (!space_->call_gadget) return 0;
  call_remotely(SYS_gettid, {});
  return take_deferred(here);
}

}  // namespace tmrec::recorder
