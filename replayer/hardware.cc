// Ticks of a trace that were counted by a source behind sched/ticks.h: a hardware counter. The counterpart of
// recorder/hardware.cc.
#include <fmt/format.h>

#include <csignal>

#include "replayer/session.h"
#include "replayer/stub.h"
#include "replayer/walker.h"
#include "sched/ticks.h"
#include "tracee/debug_registers.h"
#include "tracee/proc.h"

namespace tmrec::replayer {

using tracee::Resume;
using tracee::Stop;

namespace {

struct Overdue {};

}  // namespace

// The stub as its counter drives it: windows lead out of themselves.
class Session::Driven final : public sched::TaskControl {
 public:
  Driven(Task& task, Nanoseconds limit) : task_(task), limit_(limit) {
    Regs regs = task.regs;
    regs.orig_rax = ~std::uint64_t{0};  // the kernel must not restart anything
    task.stub->set_regs(regs);
  }
  tracee::Stopped& stopped() override { return *task_.stub; }
  const tracee::RemoteMemory& memory() override { return task_.space->memory(); }
  Stop run(Resume how, int) override {
    for (;;) {
      const auto stop = run_stub(*task_.stub, how, limit_);
      if (!stop) throw Overdue{};
      if (stop->kind != Stop::Kind::Signal) return *stop;
      Regs now = task_.stub->regs();
      const auto way_out = task_.space->patches.way_out(task_.stub->siginfo(), now);
      if (!way_out) return *stop;
      now.rip = way_out->value;
      task_.stub->set_regs(now);
    }
  }

 private:
  Task& task_;
  Nanoseconds limit_;
};

Result<void> Session::start_counter(Task& task, Ticks first) {
  if (!source_ || !task.stub) return {};
  TMREC_TRY(task.counter, source_->start(*task.stub, first));
  return {};
}

// As run_once.
Result<Stop> Session::run_counted(Task& task, Nanoseconds limit) {
  Driven driven(task, limit);
  try {
    const Stop stop = task.counter->run(driven, Resume::EmulateCalls, 0);
    task.regs = task.stub->regs();
    return stop;
  } catch (const Overdue&) {
    return overdue(task, limit);
  }
}

// To where a tick begins.
Result<void> Session::arrive_at(Task& task, const TickEvent& event) {
  if (task.restarts) restart_call(task);
  if (control_ != nullptr) {
    TMREC_TRY(const Stop stop, control_->run(*this, task, patience(task)));
    TMREC_TRY(const Ticks now, ticks(task));
    if (now == recent_.back().ticks && stop.kind == Stop::Kind::EventStop) {
      return same_regs("at a tick", task.regs, event.regs);
    }
    return fail(ErrorKind::Desync,
                fmt::format("expected tick {} at {:#x}, came to {} at {:#x}", recent_.back().ticks.value,
                            event.regs.rip, tracee::describe(stop), task.regs.rip));
  }
  const sched::TickTarget target{
      .ticks = recent_.back().ticks, .regs = event.regs, .instructions = 0, .tick_address = {}, .word = {}};
  const Nanoseconds limit = patience(task);
  Driven driven(task, limit);
  sched::Arrival arrival;
  try {
    arrival = task.counter->arrive(driven, target);
  } catch (const Overdue&) {
    return overdue(task, limit);
  }
  constexpr std::uint64_t kResumeFlag = 1u << 16;  // the debugger's, as it were
  task.regs = task.stub->regs();
  task.regs.eflags &= ~kResumeFlag;
  if (arrival) return same_regs("at a tick", task.regs, event.regs);
  using Reason = sched::MissedTarget::Reason;
  const Reason reason = arrival.error().reason;
  if (reason == Reason::CounterFailed) return fail(ErrorKind::Machine, arrival.error().text);
  if (reason == Reason::SkiddedPast) {
    return fail(ErrorKind::Machine, arrival.error().text + ": the machine was too busy, another attempt may succeed");
  }
  actual_regs_ = task.regs;
  expected_regs_ = event.regs;
  return fail(ErrorKind::Desync, arrival.error().text);
}

// ---- with a debugger ------------------------------------------------------------------------------------------------
//
// Instead of an exact arrival, a walk towards a tick is interrupted early and then goes on instruction by instruction,
// which sees breakpoints and watchpoints on the way.

namespace {

// The stub of a walk as its counter drives it.
class Watched final : public sched::TaskControl {
 public:
  Watched(Task& task, Nanoseconds limit, bool armed, const std::function<bool()>& give_up)
      : task_(task), limit_(limit), armed_(armed), give_up_(give_up) {}
  tracee::Stopped& stopped() override { return *task_.stub; }
  const tracee::RemoteMemory& memory() override { return task_.space->memory(); }
  // An interruption is not between a step and its trap: a source that steps would count on the wrong side of it.
  Stop run(Resume how, int) override {
    constexpr Stop kLeft{.kind = Stop::Kind::EventStop};
    if (left_) return kLeft;
    auto stop = run_stub(*task_.stub, how, limit_, give_up_);
    left_ = !stop;
    const auto pending = left_ ? tracee::pending_signals(task_.stub->tid()) : std::nullopt;
    if (pending && (*pending >> (SIGTRAP - 1) & 1) != 0) stop = run_stub(*task_.stub, Resume::StepEmulated, limit_);
    return stop.value_or(kLeft);
  }
  bool must_tell_of_step() override { return armed_ && tracee::watched(*task_.stub) != 0; }
  bool left() const { return left_; }

 private:
  Task& task_;
  Nanoseconds limit_;
  bool armed_;
  const std::function<bool()>& give_up_;
  bool left_ = false;
};

}  // namespace

std::optional<Stop> run_machine(Task& task, Resume how, Nanoseconds limit, bool armed,
                                const std::function<bool()>& give_up) {
  if (!task.counter) return run_stub(*task.stub, how, limit, give_up);
  Watched control(task, limit, armed, give_up);
  const Stop stop = task.counter->run(control, how, 0);
  if (control.left() && stop.kind == Stop::Kind::EventStop) return std::nullopt;
  return stop;
}

// Where the next event of a task is a tick that the walk must find.
Result<std::optional<Ticks>> Walker::tick_ahead(Task& task) {
  if (!task.counter) return std::nullopt;
  TMREC_TRY(const Event* const next, session_.upcoming());
  const bool ticks = next != nullptr && next->tid == task.tid && std::holds_alternative<TickEvent>(next->body);
  return ticks ? std::optional(next->ticks) : std::nullopt;
}

// An event that no stop of the machine's tells.
Walker::Moved Walker::at_counted_tick() const { return Moved{Stop{.kind = Stop::Kind::EventStop}, {}}; }

// True: the tick is too near for an interrupt.
Result<bool> Walker::ask_for_interrupt(Task& task, std::uint64_t tick) {
  constexpr std::uint64_t kShortest = 2;  // sched/arrival.h
  TMREC_TRY(const Ticks now, session_.ticks(task));
  const std::uint64_t bound = session_.skid_bound();
  if (tick <= now.value + bound + kShortest) {
    TMREC_CHECKED(task.counter->interrupt_after(0));
    return true;
  }
  TMREC_CHECKED(task.counter->interrupt_after(tick - now.value - bound - 1));
  return false;
}

bool is_counter_interrupt(const Task& task, const Stop& stop) {
  return stop.kind == Stop::Kind::Signal && task.counter && task.counter->is_interrupt(task.stub->siginfo());
}

// To the next tick, which has a name; code that makes none is left where it is.
Result<Walker::Moved> Walker::leave_counted(Task& task) {
  constexpr int kMostSteps = 2000;
  TMREC_TRY(const Ticks before, session_.ticks(task));
  for (int i = 0; i < kMostSteps; ++i) {
    TMREC_TRY(const Moved moved, step_on(task));
    if (moved.event || moved.halt) return moved;
    if (place_.base.ticks > before) return Moved{{}, halt(Halt::Kind::Asked, task)};
  }
  TMREC_CHECKED(came_by(task, {.kind = Hop::Kind::Regs, .stops = {}, .regs = task.regs}));
  return Moved{{}, halt(Halt::Kind::Asked, task)};
}

}  // namespace tmrec::replayer
