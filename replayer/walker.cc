#include "replayer/walker.h"

#include <sys/syscall.h>

#include <fmt/format.h>

#include "replayer/motion.h"

namespace tmrec::replayer {

using tracee::Stop;

namespace {

constexpr std::uint64_t kSyscallLength = 2;

bool has_passed(const Orders& orders, int signal) {
  return signal >= 1 && signal <= 64 && (orders.passed_signals >> (signal - 1) & 1) != 0;
}

std::string text_of(const Position& place) {
  return fmt::format("{}.{}.{}", place.event.value, place.ticks.value, place.steps);
}

// Tasks of the process that live.
std::size_t tasks_of(const Session& session, Tid process) {
  std::size_t count = 0;
  for (const auto& [tid, task] : session.tasks()) count += task->process == process ? 1 : 0;
  return count;
}

}  // namespace

Result<Place> Walker::place() {
  if (at_start_) {
    TMREC_TRY(const Event* const next, session_.upcoming());
    Task* task = next != nullptr ? session_.find(next->tid) : nullptr;
    Ticks ticks;
    if (task != nullptr && task->counts()) {
      TMREC_TRY(ticks, session_.ticks(*task));
    }
    place_ = {{session_.position(), ticks, 0}, {}};
    at_start_ = false;
  }
  return place_;
}

Result<void> Walker::came_by(Task& task, Hop hop) {
  TMREC_CHECKED(place());
  Ticks now;
  if (task.counts()) {
    TMREC_TRY(now, session_.ticks(task));
  }
  if (now != place_.base.ticks) place_ = {{session_.position(), now, 0}, {}};
  const bool there_already =
      hop.kind == Hop::Kind::Event && !place_.hops.empty() && place_.hops.back().kind == Hop::Kind::Event;
  if (!there_already) place_.hops.push_back(std::move(hop));
  return {};
}

Result<Halt> Walker::walk(const Orders& orders) {
  orders_ = orders;
  first_ = true;
  machine_.left = false;
  machine_.give_up = orders_.give_up;
  prepare_watches();
  std::uint64_t events = 0;
  constexpr std::uint64_t kEventsPerLook = 32;
  for (;;) {
    TMREC_TRY(const bool arrived, stands_at_goal());
    if (arrived) return Halt{.kind = Halt::Kind::Arrived, .task = {}, .watch = {}};
    if (orders_.start_of && session_.position() >= *orders_.start_of) {
      return Halt{.kind = Halt::Kind::Arrived, .task = {}, .watch = {}};
    }
    if (orders_.goal && session_.position() > orders_.goal->event) {
      return went_past(*orders_.goal);
    }
    TMREC_TRY(auto ended, before_event());
    if (ended) return *ended;
    TMREC_TRY(const Event* const next, session_.upcoming());
    const Event event = *next;
    TMREC_TRY(const auto progress, session_.advance(*this));
    if (progress == Session::Progress::Paused) return halt_;
    at_start_ = true;
    first_ = false;
    // The instruction has led to something else than the tick in its middle.
    if (event.tid == orders_.step && !std::holds_alternative<TickEvent>(event.body)) midway_ = false;
    if (orders_.until_event) return Halt{.kind = Halt::Kind::BeforeEvent, .task = {}, .watch = {}};
    TMREC_TRY(auto halted, after_event(event));
    if (halted) return *halted;
    const bool look = ++events % kEventsPerLook == 0 && orders_.give_up;
    if (machine_.left || (look && orders_.give_up()))
      return Halt{.kind = Halt::Kind::Asked, .task = event.tid, .watch = {}};
  }
}

// At a goal from which no task runs on, or where a call is made again; to others, a task must come by its first
// instruction.
Result<bool> Walker::stands_at_goal() {
  if (!orders_.goal || session_.position() != orders_.goal->event) return false;
  TMREC_TRY(const Event* const next, session_.upcoming());
  const Task* task = next == nullptr ? nullptr : session_.find(next->tid);
  if (task != nullptr && !task->restarts && comes_by_itself(*next, task->in_call)) return false;
  TMREC_TRY(const Place here, place());
  return here.base == *orders_.goal;
}

// An end that is no call of the task that ends: its process is killed, or the log ends.
Result<std::optional<Halt>> Walker::before_event() {
  TMREC_TRY(const Event* const next, session_.upcoming());
  const bool log_ends = next == nullptr || std::holds_alternative<EndEvent>(next->body);
  if (log_ends) return Halt{.kind = Halt::Kind::End, .task = {}, .watch = {}};
  if (!orders_.ends || !std::holds_alternative<ExitEvent>(next->body)) return std::nullopt;
  const Task* task = session_.find(next->tid);
  if (task == nullptr || !counts(*task) || tasks_of(session_, task->process) > 1) return std::nullopt;
  return halt(Halt::Kind::End, *task);
}

Result<std::optional<Halt>> Walker::after_event(const Event& event) {
  if (const auto* exec = std::get_if<ExecEvent>(&event.body); exec != nullptr && event.tid == orders_.process) {
    remember();
    if (orders_.ends) return Halt{.kind = Halt::Kind::Executed, .task = event.tid, .watch = {}};
  }
  const Task* const by = session_.find(event.tid);
  if (auto watch = touched(by != nullptr && counts(*by) ? &event : nullptr))
    return Halt{.kind = Halt::Kind::Watch, .task = event.tid, .watch = *watch};
  const Task* task = session_.find(event.tid);
  if (task == nullptr && orders_.step == event.tid) return Halt{.kind = Halt::Kind::Stepped, .task = {}, .watch = {}};
  if (task == nullptr || !counts(*task)) return std::nullopt;
  if (const auto* signal = std::get_if<SignalEvent>(&event.body)) {
    const bool report =
        orders_.report_signals && !has_passed(orders_, signal->signo) && reported_.insert(event.no.value).second;
    if (report) return Halt{.kind = Halt::Kind::Signal, .task = event.tid, .watch = {}, .signal = signal->signo};
  }
  const auto* birth = std::get_if<CloneEvent>(&event.body);
  if (birth != nullptr && birth->child == birth->child_process && orders_.stops &&
      orders_.stops->catches_birth(birth->child)) {
    Halt forked = halt(Halt::Kind::Forked, *task);
    forked.child = birth->child;
    return forked;
  }
  const auto* call = std::get_if<SyscallEvent>(&event.body);
  const bool returns = call != nullptr && call->phase != SyscallEvent::Phase::Enter && orders_.stops &&
                       orders_.stops->catches(call->regs.orig_rax);
  if (returns) {
    Halt back = halt(Halt::Kind::CallReturns, *task);
    back.number = call->regs.orig_rax;
    return back;
  }
  if (event.tid != orders_.step || !sets_task(event)) return std::nullopt;
  const std::uint64_t pc = session_.program_view(*task).rip;
  if (pc >= orders_.range_begin && pc < orders_.range_end) return std::nullopt;
  return halt(Halt::Kind::Stepped, *task);
}

Result<Stop> Walker::run(Session& session, Task& task, Nanoseconds limit) {
  TMREC_TRY(const Event* const next, session.upcoming());
  machine_.limit = limit;
  TMREC_CHECKED(place());
  const bool goal_here = orders_.goal && session.position() == orders_.goal->event;
  machine_.armed = counts(task) && !words_.empty();
  const bool fenced = counts(task) && machine_.fence.is_needed();
  if (machine_.armed) TMREC_CHECKED(tracee::set_watches(*task.stub, words_));
  if (fenced) TMREC_CHECKED(machine_.fence.raise(task));
  Result<Moved> moved{};
  do {
    moved = move(task, goal_here);
  } while (moved && !moved->event && !moved->halt);
  if (machine_.armed) TMREC_CHECKED(tracee::set_watches(*task.stub, {}));
  if (fenced) TMREC_CHECKED(machine_.fence.lower(task));
  machine_.armed = false;
  if (!moved) return std::unexpected(moved.error());
  if (moved->event) {
    auto halted = instead_of(task, *next, *moved->event);
    if (!halted) return *moved->event;
    const bool call = moved->event->kind == Stop::Kind::Syscall;
    if (call) {
      task.regs.rip -= kSyscallLength;
      task.regs.rax = task.regs.orig_rax;
    }
    if (ran_) TMREC_CHECKED(came_by(task, {.kind = Hop::Kind::Event, .stops = {}, .regs = {}}));
    moved->halt = *halted;
  }
  halt_ = *moved->halt;
  throw Paused{};
}

std::unexpected<Error> Walker::went_past(const Position& goal) const {
  return fail(ErrorKind::System,
              fmt::format("a replay came to {}, past {} where it was to go",
                          text_of({session_.position(), place_.base.ticks, place_.base.steps}), text_of(goal)));
}

// What the task does until its next event, piece by piece.
Result<Walker::Moved> Walker::move(Task& task, bool goal_here) {
  const bool steps = orders_.step == task.tid || orders_.until_event || (counts(task) && orders_.one_by_one);
  if (machine_.left && steps && !goal_here) {
    TMREC_TRY(const Moved boundary, to_boundary(task));
    return boundary.event ? boundary : Moved{{}, halt(Halt::Kind::Asked, task)};
  }
  // In front of a tick that is an event, too.
  if (goal_here && orders_.goal->steps == 0 && place_.hops.empty() && place_.base == *orders_.goal) {
    TMREC_TRY(const Moved boundary, to_boundary(task));
    if (boundary.event) return boundary;
    return Moved{{}, halt(Halt::Kind::Arrived, task)};
  }
  bool close = false;  // the next tick may be behind the goal
  if (machine_.left && goal_here && task.counts()) {
    TMREC_TRY(const Ticks now, session_.ticks(task));
    close = now.value + 1 >= orders_.goal->ticks.value;
  }
  TMREC_TRY(const auto tick, tick_ahead(task));
  if (tick && tick->value <= place_.base.ticks.value) return at_counted_tick();
  if (machine_.left && !close) return leave_soon(task);
  if (!goal_here) return steps ? step_on(task) : run_freely(task, tick ? std::optional(tick->value) : std::nullopt);
  const Position& goal = *orders_.goal;
  if (place_.base.ticks < goal.ticks) {
    return run_freely(task, goal.ticks.value);
  }
  if (place_.hops.empty() && place_.base >= goal) {
    if (place_.base > goal) return went_past(goal);
    return Moved{{}, halt(Halt::Kind::Arrived, task)};
  }
  return step_on(task);
}

// The task has come to its event. Whether it must stay in front of that.
std::optional<Halt> Walker::instead_of(const Task& task, const Event& event, const Stop& stop) {
  if (orders_.until_event) return halt(Halt::Kind::BeforeEvent, task);
  if (!counts(task)) return std::nullopt;
  const auto* call = std::get_if<SyscallEvent>(&event.body);
  if (call != nullptr && orders_.ends && stop.kind == Stop::Kind::Syscall) {
    const bool exits = call->regs.orig_rax == SYS_exit_group ||
                       (call->regs.orig_rax == SYS_exit && tasks_of(session_, task.process) == 1);
    if (exits) return halt(Halt::Kind::End, task);
  }
  const bool caught = call != nullptr && stop.kind == Stop::Kind::Syscall && orders_.stops &&
                      orders_.stops->catches(call->regs.orig_rax) && event.no != orders_.begun &&
                      begun_.insert(event.no.value).second;
  if (caught) {
    Halt begins = halt(Halt::Kind::CallBegins, task);
    begins.number = call->regs.orig_rax;
    return begins;
  }
  const auto* signal = std::get_if<SignalEvent>(&event.body);
  const bool fault = signal != nullptr && signal->synchronous && stop.kind == Stop::Kind::Signal;
  if (!fault || !orders_.report_signals || has_passed(orders_, signal->signo)) return std::nullopt;
  if (!reported_.insert(event.no.value).second) return std::nullopt;
  return Halt{.kind = Halt::Kind::Signal, .task = task.tid, .watch = {}, .signal = signal->signo};
}

}  // namespace tmrec::replayer
