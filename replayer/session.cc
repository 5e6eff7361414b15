#include "replayer/session.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <fmt/format.h>

#include "replayer/describe.h"
#include "replayer/patience.h"
#include "tracee/broken.h"

namespace tmrec::replayer {

using tracee::Resume;
using tracee::Stop;

Session::Session(TraceDir trace, BlobStore blobs, LogReader log, bool echo, bool trap_cpuid)
    : trace_(std::move(trace)),
      log_(std::move(log)),
      objects_(std::move(blobs), [this](BackingId id, int memfd) { return show_everywhere(id, memfd); }),
      echo_(echo),
      trap_cpuid_(trap_cpuid) {}

Session::Session(TraceDir trace, std::shared_ptr<BlobStore> blobs, LogReader log, bool trap_cpuid)
    : trace_(std::move(trace)),
      log_(std::move(log)),
      objects_(std::move(blobs), [this](BackingId id, int memfd) { return show_everywhere(id, memfd); }),
      echo_(false),
      trap_cpuid_(trap_cpuid) {}

Session::~Session() {
  if (ring_ != nullptr) munmap(ring_, agent::kRingSize);
  std::vector<pid_t> tids;
  for (auto& [tid, task] : tasks_) {
    if (task->stub) tids.push_back(task->stub->tid());
  }
  for (pid_t tid : tids) kill(tid, SIGKILL);
  // The leader of a process is reported after its threads, in whatever order they are here.
  while (!tids.empty()) {
    std::erase_if(tids, [](pid_t tid) {
      int status = 0;
      pid_t reaped = waitpid(tid, &status, __WALL | WNOHANG);
      return reaped < 0 || (reaped == tid && !WIFSTOPPED(status));
    });
    sched_yield();
  }
}

Result<const Event*> Session::upcoming() {
  for (;;) {
    if (ahead_.empty()) {
      TMREC_TRY(const bool more, read_ahead());
      if (!more) return nullptr;
    }
    const Event& next = ahead_.front();
    const bool is_known = std::holds_alternative<StartEvent>(next.body) || std::holds_alternative<EndEvent>(next.body);
    if (!in_gap_ || is_known) return &next;
    ahead_.pop_front();
  }
}

Task* Session::find(Tid tid) {
  auto found = tasks_.find(tid);
  return found == tasks_.end() ? nullptr : found->second.get();
}

Result<Session::Progress> Session::advance(RunControl& control) {
  control_ = &control;
  Result<bool> stepped = false;
  try {
    stepped = step();
  } catch (const Paused&) {
    control_ = nullptr;
    return Progress::Paused;
  }
  control_ = nullptr;
  if (!stepped) return std::unexpected(stepped.error());
  return *stepped ? Progress::Applied : Progress::End;
}

Result<bool> Session::step() {
  TMREC_TRY(const Event* const next, upcoming());
  if (next == nullptr) return false;
  if (!begun_ && control_ == nullptr) {
    TMREC_TRY(const bool stepped, step_in_batch());
    if (stepped) return true;
  }
  if (!begun_) {
    recent_.push_back(*next);
    if (recent_.size() > kRecentEvents) recent_.pop_front();
  }
  begun_ = true;
  const Event& event = recent_.back();
  try {
    TMREC_CHECKED(apply(event));
  } catch (const tracee::TaskDied& died) {
    return fail(ErrorKind::Desync, fmt::format("the replayed task {} is gone; it should be there", event.tid.value));
  } catch (const tracee::ImpossibleState& state) {
    return fail(ErrorKind::BadTrace, fmt::format("event {}: {}", event.no.value, state.what));
  }
  if (auto of = tasks_.find(event.tid); of != tasks_.end()) {
    of->second->last_event_ns = event.time_ns;
    if (!in_gap_) TMREC_CHECKED(check_ticks(*of->second, event));
  }
  now_ = event.no;
  ahead_.pop_front();
  begun_ = false;
  return true;
}

Result<Task*> Session::task(Tid tid) {
  auto it = tasks_.find(tid);
  if (it == tasks_.end())
    return fail(ErrorKind::BadTrace, fmt::format("an event of task {}, which does not exist", tid.value));
  return it->second.get();
}

Result<void> Session::apply(const Event& event) {
  if (const auto* end = std::get_if<EndEvent>(&event.body)) {
    end_seen_ = true;
    end_reason_ = end->reason;
    return {};
  }
  if (std::holds_alternative<SwitchEvent>(event.body)) return {};
  if (std::holds_alternative<GapEvent>(event.body)) {
    in_gap_ = true;
    return {};
  }
  if (const auto* exec = std::get_if<ExecEvent>(&event.body)) return apply_exec(event.tid, *exec);
  if (const auto* attach = std::get_if<AttachEvent>(&event.body)) return apply_attach(event.tid, *attach);
  if (const auto* start = std::get_if<StartEvent>(&event.body)) return apply_start(*start);
  TMREC_TRY(Task * of, task(event.tid));
  return std::visit(
      [&](const auto& body) -> Result<void> {
        if constexpr (requires { apply_to(*of, body); }) {
          return apply_to(*of, body);
        } else {
          return {};
        }
      },
      event.body);
}

// Runs the program's own code until it stops: at a system call (not performed), or by a signal of its own making.
Result<Session::Reached> Session::run(Task& task) {
  for (;;) {
    TMREC_TRY(const Stop stop, run_once(task));
    if (stop.kind == Stop::Kind::Signal) {
      const bool fault = stop.signal == SIGSEGV || stop.signal == SIGBUS;
      auto way_out = fault ? agent::failed_copy(task.regs.rip) : std::nullopt;
      if (!way_out) way_out = task.space->patches.way_out(task.stub->siginfo(), task.regs);
      if (!way_out) return Reached{stop};
      task.regs.rip = way_out->value;
    } else {
      const bool asks = stop.kind == Stop::Kind::Syscall && task.area.value != 0;
      return Reached{stop, asks ? agent::question_of(task.regs) : agent::Question::None};
    }
  }
}

Result<Stop> Session::run_once(Task& task) {
  const Nanoseconds limit = patience(task);
  if (control_ != nullptr) return control_->run(*this, task, limit);
  if (task.counter) return run_counted(task, limit);
  Regs regs = task.regs;
  regs.orig_rax = ~std::uint64_t{0};  // the kernel must not restart anything
  task.stub->set_regs(regs);
  std::optional<Stop> stop = run_stub(*task.stub, Resume::EmulateCalls, limit);
  task.regs = task.stub->regs();
  if (stop) return *stop;
  return overdue(task, limit);
}

namespace {

std::uint64_t recorded_ns(const Task& task, const Event& event) {
  return event.time_ns > task.last_event_ns ? event.time_ns - task.last_event_ns : 0;
}

}  // namespace

Nanoseconds Session::patience(const Task& task) const {
  return patience_for(Nanoseconds(std::min(recorded_ns(task, recent_.back()), std::uint64_t{INT64_MAX})));
}

std::unexpected<Error> Session::overdue(const Task& task, Nanoseconds limit) const {
  const Event& event = recent_.back();
  return fail(ErrorKind::Desync,
              fmt::format("task {} does not reach event {}: it has computed for {} s, recorded {:.3f} s",
                          task.tid.value, event.no.value, limit / std::chrono::seconds(1),
                          static_cast<double>(recorded_ns(task, event)) / 1e9));
}

Result<void> Session::same_regs(const char* where, const Regs& actual, const Regs& expected) {
  Regs a = actual, e = expected;
  // Not the program's: what the kernel remembers of the last system call.
  a.orig_rax = e.orig_rax = 0;
  if (a == e) return {};
  actual_regs_ = actual;
  expected_regs_ = expected;
  return fail(ErrorKind::Desync, fmt::format("{}: {}", where, first_difference(a, e)));
}

Result<void> Session::show_everywhere(BackingId backing, int memfd) {
  std::vector<Space*> done;
  for (auto& [tid, task] : tasks_) {
    if (!task->stub || std::find(done.begin(), done.end(), task->space.get()) != done.end()) continue;
    done.push_back(task->space.get());
    if (task->space->shows(backing)) TMREC_CHECKED(task->space->show_memfd(*task->stub, backing, memfd));
  }
  return {};
}

Desync Session::report(const Error& error) {
  Desync desync;
  desync.event = recent_.empty() ? EventNo(0) : recent_.back().no;
  desync.task = recent_.empty() ? Tid(0) : recent_.back().tid;
  desync.what = error.text;
  if (actual_regs_ && expected_regs_) desync.context += differing_registers(*actual_regs_, *expected_regs_);
  desync.context += "events before and at the difference:\n";
  for (const Event& event : recent_) desync.context += "  " + one_line(event) + "\n";
  if (!ahead_.empty()) ahead_.pop_front();  // the one at which it was
  for (int i = 0; i < 3; ++i) {
    auto next = upcoming();
    if (!next || *next == nullptr) break;
    desync.context += "  " + one_line(**next) + "  (next)\n";
    ahead_.pop_front();
  }
  return desync;
}

}  // namespace tmrec::replayer
