#include "replayer/debug_target.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "gdbstub/agent_code.h"
#include "gdbstub/agent_expression.h"
#include "gdbstub/registers.h"
#include "replayer/stub.h"
#include "syscalls/table.h"
#include "tracee/proc.h"

namespace tmrec::replayer {

using gdbstub::Stop;
using Why = Stop::Why;
using BreakKind = gdbstub::Breakpoint::Kind;

namespace {

constexpr std::uint64_t kMaxWatched = 1 << 16;
constexpr std::string_view kDebugDirectory = "/usr/lib/debug/";

// Any of them is true, or can't be worked out: then the debugger finds out why.
Stops::Condition condition(const std::vector<std::string>& expressions, std::uint64_t rip) {
  Stops::Condition condition{.holds = {},
                             .code = gdbstub::agent_code(expressions, rip).value_or(std::vector<std::uint8_t>())};
  condition.holds = [expressions](Session& session, Task& task) {
    static const gdbstub::RegisterLayout layout(Bytes{});
    const gdbstub::RegisterFile file{session.program_view(task), {}};
    const gdbstub::AgentContext context{
        .get_register = [&](std::size_t number) -> std::optional<std::uint64_t> {
          constexpr std::size_t kGeneral = 24;  // more would cost every hit a look at the extended state
          const std::string bytes = number < kGeneral ? layout.get(file, number) : std::string();
          if (bytes.empty()) return std::nullopt;
          std::uint64_t value = 0;
          std::memcpy(&value, bytes.data(), bytes.size());
          return value;
        },
        .read_memory = [&](std::uint64_t at, std::size_t size) -> std::optional<std::uint64_t> {
          const Bytes bytes = task.space->memory().read_some(RemoteAddr(at), size);
          if (bytes.size() < size) return std::nullopt;
          std::uint64_t value = 0;
          std::memcpy(&value, bytes.data(), size);
          return value;
        }};
    return std::ranges::any_of(expressions, [&](const std::string& expression) {
      return gdbstub::evaluate(expression, context).value_or(1) != 0;
    });
  };
  return condition;
}

}  // namespace

DebugTarget::DebugTarget(std::unique_ptr<Session> session, LogReader log)
    : timeline_(std::move(session), std::move(log)), history_(timeline_.session().trace()) {
  timeline_.on_read = [this](const Event& event) { history_.note(event); };
}

Result<std::unique_ptr<DebugTarget>> DebugTarget::open(std::unique_ptr<Session> session, LogReader log,
                                                       const Start& start) {
  std::unique_ptr<DebugTarget> target(new DebugTarget(std::move(session), std::move(log)));
  TMREC_CHECKED(target->go_to_birth(start.process));
  target->stop_ = target->stopped(Why::Signal);
  target->stop_.signal = SIGTRAP;
  if (start.at_end) {
    TMREC_TRY([[maybe_unused]] const bool there, target->go_to_end({}));
  }
  if (start.event.value != 0) {
    if (start.event <= target->birth_) {
      return fail(ErrorKind::Usage,
                  fmt::format("process {} does not exist at event {}", target->process_.value, start.event.value));
    }
    TMREC_TRY(const bool there, target->timeline_.seek_start(start.event));
    if (!there || target->any_task(target->process_) == nullptr) {
      return fail(ErrorKind::Usage,
                  fmt::format("process {} does not exist at event {}", target->process_.value, start.event.value));
    }
    TMREC_CHECKED(target->concern(target->process_));
    target->stop_ = target->stopped(Why::Signal);
    target->stop_.signal = SIGTRAP;
  }
  target->told_.clear();
  TMREC_CHECKED(target->concern(target->process_));
  return target;
}

// Where the process begins to exist, or the first one to execute its program. What can be gone back to begins with that
// one.
Result<void> DebugTarget::go_to_birth(std::optional<Tid> process) {
  std::optional<EventNo> begin, birth;
  for (EventNo event(1); !birth; event = EventNo(event.value + 1)) {
    TMREC_TRY(const auto* brief, timeline_.brief(event));
    if (brief == nullptr && process)
      return fail(ErrorKind::Usage, fmt::format("the recording has no process {}", process->value));
    if (brief == nullptr) return fail(ErrorKind::BadTrace, "the recording has no program");
    const auto first = history_.first_process();
    if (!process) process = first;
    if (first && !begin) begin = history_.birth_of(*first);
    if (process) birth = history_.birth_of(*process);
  }
  process_ = *process;
  while (timeline_.session().position() < *begin) {
    TMREC_TRY(const bool more, timeline_.session().step());
    if (!more) return fail(ErrorKind::BadTrace, "the log ends early");
  }
  TMREC_CHECKED(timeline_.begin_here());
  timeline_.concern(process_, *birth);
  if (*begin < *birth) {
    TMREC_TRY([[maybe_unused]] const bool there, timeline_.seek_start(*birth));
  }
  return concern(process_);
}

// A fatal signal, the exit, or the end of the log. It is run to once, and then known.
Result<bool> DebugTarget::go_to_end(const gdbstub::Interrupted& interrupted) {
  if (const auto known = ends_.find(process_); known != ends_.end()) {
    TMREC_TRY(const bool there, timeline_.seek(known->second.position, interrupted));
    if (!there) return false;
    TMREC_CHECKED(concern(process_));
    stop_ = stop_of(known->second.halt);
    return true;
  }
  TMREC_TRY(const auto halt, run_to_end(interrupted));
  if (!halt) return false;
  TMREC_TRY(const Position position, timeline_.position());
  if (any_task(process_) != nullptr) ends_[process_] = {position, *halt};  // else it had ended before
  return true;
}

Result<std::optional<Halt>> DebugTarget::run_to_end(const gdbstub::Interrupted& interrupted) {
  for (;;) {
    Orders wanted = orders(interrupted);
    wanted.stops = nullptr;
    wanted.passed_signals = 0;
    TMREC_TRY(const Halt halt, timeline_.forward(wanted));
    stop_ = stop_of(halt);
    if (halt.kind == Halt::Kind::Executed) TMREC_CHECKED(concern(process_));
    if (halt.kind == Halt::Kind::Asked) return std::nullopt;
    if (halt.kind == Halt::Kind::End) return halt;
    if (halt.kind != Halt::Kind::Signal) continue;
    TMREC_TRY(const Event* const next, timeline_.session().upcoming());
    for (const Event* event : {next, timeline_.session().last()}) {
      const auto* signal = event == nullptr ? nullptr : std::get_if<SignalEvent>(&event->body);
      if (signal != nullptr && signal->signo == halt.signal && signal->action == SignalEvent::Action::Fatal)
        return halt;
    }
  }
}

std::vector<gdbstub::Thread> DebugTarget::threads() {
  std::vector<gdbstub::Thread> list;
  const EventNo now = timeline_.session().position();
  (void)timeline_.brief(now);  // what has been read of the log gives them their names
  for (const auto& [tid, task] : session().tasks()) {
    if (!shows(task->process)) continue;
    std::string state = "between two events";
    if (task->in_call)
      state = fmt::format("in {}", syscalls::row(static_cast<std::uint32_t>(task->regs.orig_rax)).name);
    list.push_back({tid, history_.name_of(tid, now), state, task->process});
  }
  std::ranges::sort(list, {}, &gdbstub::Thread::tid);
  return list;
}

Result<Task*> DebugTarget::task(Tid thread) {
  Task* task = session().find(thread);
  if (task == nullptr || !shows(task->process)) return fail(ErrorKind::Usage, "no such thread here");
  return task;
}

Task* DebugTarget::any_task(Tid process) {
  if (Task* leader = session().find(process)) return leader;
  for (const auto& [tid, task] : session().tasks()) {
    if (task->process == process) return task.get();
  }
  return nullptr;
}

// The agent's %gs is not the program's.
Result<Regs> DebugTarget::registers(Tid thread) {
  TMREC_TRY(const Task* const of, task(thread));
  Regs regs = session().program_view(*of);
  if (of->area.value != 0) regs.gs_base = 0;
  if (!of->in_call) regs.orig_rax = ~std::uint64_t{0};
  return regs;
}

Result<Bytes> DebugTarget::extended(Tid thread) {
  TMREC_TRY(const Task* const of, task(thread));
  return of->stub->xstate();
}

Bytes DebugTarget::read_memory(RemoteAddr from, std::size_t size) {
  if (!diversion_ && lent_.has(from)) return lent_.read(from, size);
  Task* task = any_task();
  if (task == nullptr) return {};
  Bytes bytes = task->space->memory().read_some(from, size);
  ProgramCode(task->space->patches).show_original(from, bytes);
  return bytes;
}

Result<void> DebugTarget::insert(const gdbstub::Breakpoint& breakpoint) {
  if (breakpoint.size > kMaxWatched) {
    return fail(ErrorKind::Usage, fmt::format("at most {} bytes can be watched", kMaxWatched));
  }
  auto& breakpoints = breakpoints_[viewed_];
  std::erase(breakpoints, breakpoint);
  const auto watches = [](const gdbstub::Breakpoint& each) { return each.kind > BreakKind::Hardware; };
  if (watches(breakpoint) && std::ranges::count_if(breakpoints, watches) >= std::ptrdiff_t{kMostFenced}) {
    return fail(ErrorKind::Usage, fmt::format("at most {} watchpoints", kMostFenced));
  }
  breakpoints.push_back(breakpoint);
  return {};
}

Result<void> DebugTarget::remove(const gdbstub::Breakpoint& breakpoint) {
  std::erase(breakpoints_[viewed_], breakpoint);
  return {};
}

// gdb lets a function that it calls return to a breakpoint on the stack, and forgets that one only when the function
// has returned. In the recording that is nothing but data.
bool DebugTarget::is_of_a_call(RemoteAddr at) const {
  return !diversion_ && std::ranges::any_of(stacks_of_calls_,
                                            [&](const auto& stack) { return at >= stack.first && at < stack.second; });
}

std::shared_ptr<const Stops> DebugTarget::stops() const {
  auto stops = std::make_shared<Stops>();
  static const std::vector<gdbstub::Breakpoint> kNone;
  const auto inserted = breakpoints_.find(process_);
  const auto& breakpoints = inserted == breakpoints_.end() ? kNone : inserted->second;
  for (const auto& each : breakpoints) {
    switch (each.kind) {
      case BreakKind::Software:
      case BreakKind::Hardware:
        if (is_of_a_call(each.at)) break;
        stops->breakpoints.push_back(each.at.value);
        if (!each.conditions.empty()) stops->conditions[each.at.value] = condition(each.conditions, each.at.value);
        break;
      case BreakKind::Write:
        stops->watches.push_back({Stops::Watch::Kind::Write, each.at, each.size});
        break;
      case BreakKind::Read:
        stops->watches.push_back({Stops::Watch::Kind::Read, each.at, each.size});
        break;
      case BreakKind::Access:
        stops->watches.push_back({Stops::Watch::Kind::Access, each.at, each.size});
        break;
    }
  }
  stops->calls = caught_;
  if (reports_forks_) stops->births = shown_;  // a process that it has already would confuse the client
  // Where one always stops, the others' conditions say nothing.
  for (const auto& each : breakpoints) {
    if (each.kind <= BreakKind::Hardware && each.conditions.empty()) stops->conditions.erase(each.at.value);
  }
  std::ranges::sort(stops->breakpoints);
  return stops;
}

Orders DebugTarget::orders(const gdbstub::Interrupted& interrupted) const {
  Orders orders{.process = process_, .stops = stops(), .goal = {}, .start_of = {}, .step = {}, .give_up = interrupted};
  orders.report_signals = true;
  orders.passed_signals = passed_signals_;
  orders.ends = true;
  return orders;
}

Result<Stop> DebugTarget::resume(const gdbstub::Resume& how, const gdbstub::Interrupted& interrupted) {
  if (std::exchange(arrives_next_, false)) return moved();
  const bool of_child = how.process && *how.process != process_;
  if (std::exchange(vfork_done_next_, false) && !of_child) {
    Stop here = stop_;
    here.why = Why::VForkDone;
    return here;
  }
  if (!errand_.empty()) {
    const auto trip = travel(std::exchange(errand_, {}), interrupted);
    outcome_ = !trip ? "not a command that goes anywhere\n" : trip->moved ? "" : trip->text;
    // Where nothing is set up yet, gdb finds the dynamic linker only as the interpreter of what has just been executed.
    TMREC_TRY(const History::Image* const now, image(process_));
    if (outcome_.empty() && now->since == timeline_.session().position()) told_[process_] = {};
    TMREC_TRY(const auto executed, other_program());
    arrives_next_ = executed.has_value();
    return executed ? *executed : moved();
  }
  if (diversion_ && !is_left_by(how)) return run_diversion(how, interrupted);
  if (diversion_) {
    const bool was_kept = diversion_->kept();
    end_diversion();
    // Going back in a diversion leads to where it began.
    if (was_kept) {
      stop_ = moved();
      Stop here = stop_;
      here.said = "tmrec: the diversion has ended; this is the recording\n";
      return here;
    }
  }
  if (how.process && *how.process != process_ && shows(*how.process)) {
    if (any_task(*how.process) == nullptr) {
      return fail(ErrorKind::Usage,
                  fmt::format("process {0} does not live here: `process {0}' goes where it does", how.process->value));
    }
    TMREC_CHECKED(concern(*how.process));
  }
  TMREC_TRY(const auto executed, other_program());
  if (executed) return *executed;
  auto stop = how.backward ? backward(how, interrupted) : forward(how, interrupted);
  if (!stop && stop.error().kind == ErrorKind::Desync) {
    const Desync desync = timeline_.session().report(stop.error());
    return fail(ErrorKind::Desync,
                fmt::format("desync at event {}, task {}: {}", desync.event.value, desync.task.value, desync.what));
  }
  if (!stop) return stop;
  stop_ = *stop;
  if (stop->why == Why::Executed) TMREC_CHECKED(note_image());
  vfork_done_next_ = stop->why == Why::VForked;
  return stop;
}

// It stands where a command has led.
Stop DebugTarget::moved() {
  stop_.why = Why::Moved;
  return stop_;
}

Result<Stop> DebugTarget::forward(const gdbstub::Resume& how, const gdbstub::Interrupted& interrupted) {
  Orders wanted = orders(interrupted);
  wanted.step = how.step;
  // Another thread's stop was told: this thread's step is to lead on from there.
  wanted.skip_first = how.step && stop_.why == Why::Breakpoint && *how.step != stop_.thread;
  if (stop_.why == Why::SyscallEntry) wanted.begun = EventNo(timeline_.session().position().value + 1);
  wanted.range_begin = how.range_begin.value;
  wanted.range_end = how.range_end.value;
  TMREC_TRY(const Halt halt, timeline_.forward(wanted));
  if (halt.kind == Halt::Kind::Executed) TMREC_CHECKED(concern(process_));
  return stop_of(halt);
}

Result<Stop> DebugTarget::backward(const gdbstub::Resume& how, const gdbstub::Interrupted& interrupted) {
  std::optional<Halt> halt;
  if (how.step) {
    TMREC_TRY(halt, timeline_.step_back(*how.step, interrupted));
  } else {
    auto wanted = std::make_shared<Stops>(*stops());
    if (!catches_forks_) wanted->births.reset();
    TMREC_TRY(halt, timeline_.backward(std::move(wanted), interrupted));
  }
  return halt ? stop_of(*halt) : before_program();
}

Stop DebugTarget::stopped(Why why) {
  Stop stop{.why = why, .thread = process_, .watch = {}, .program = {}};
  if (const Task* task = any_task(process_)) stop.thread = task->tid;
  // Rather the one that runs here.
  const auto next = timeline_.session().upcoming();
  const Task* const runs = next && *next != nullptr ? session().find((*next)->tid) : nullptr;
  if (runs != nullptr && runs->process == process_) stop.thread = runs->tid;
  return stop;
}

Stop DebugTarget::stop_of(const Halt& halt) {
  Stop stop = stopped(Why::Stepped);
  siginfo_.reset();
  if (task(halt.task)) stop.thread = halt.task;
  switch (halt.kind) {
    case Halt::Kind::Breakpoint: {
      stop.why = Why::Breakpoint;
      const auto regs = registers(stop.thread);
      const bool hardware = regs && std::ranges::any_of(breakpoints_[process_], [&](const auto& each) {
                              return each.kind == BreakKind::Hardware && each.at.value == regs->rip;
                            });
      stop.watch.kind = hardware ? BreakKind::Hardware : BreakKind::Software;
      break;
    }
    case Halt::Kind::Watch:
      stop.why = Why::Watchpoint;
      stop.watch.at = halt.watch.at;
      stop.watch.kind = halt.watch.kind == Stops::Watch::Kind::Read     ? BreakKind::Read
                        : halt.watch.kind == Stops::Watch::Kind::Access ? BreakKind::Access
                                                                        : BreakKind::Write;
      break;
    case Halt::Kind::Signal: {
      stop.why = Why::Signal;
      stop.signal = halt.signal;
      const auto next = timeline_.session().upcoming();
      for (const Event* event : {next ? *next : nullptr, timeline_.session().last()}) {
        const auto* signal = event == nullptr ? nullptr : std::get_if<SignalEvent>(&event->body);
        if (signal != nullptr && signal->signo == halt.signal && !siginfo_) siginfo_ = signal->siginfo;
      }
      break;
    }
    case Halt::Kind::CallBegins:
    case Halt::Kind::CallReturns:
      stop.why = halt.kind == Halt::Kind::CallBegins ? Why::SyscallEntry : Why::SyscallReturn;
      stop.number = halt.number;
      break;
    case Halt::Kind::Executed:
      stop.why = Why::Executed;
      if (const auto now = image(process_); now && *now != nullptr) stop.program = (*now)->program;
      break;
    case Halt::Kind::Forked: {
      const auto* birth = std::get_if<CloneEvent>(&timeline_.session().last()->body);
      stop.why = birth != nullptr && (birth->flags & CLONE_VFORK) != 0 ? Why::VForked : Why::Forked;
      stop.child = halt.child;
      if (!shows(halt.child)) shown_.push_back(halt.child);
      if (const auto now = image(halt.child)) told_[halt.child] = (*now)->since;
      break;
    }
    case Halt::Kind::End:
      stop.why = Why::HistoryEnd;
      break;
    case Halt::Kind::Asked:
      stop.why = Why::Interrupted;
      break;
    case Halt::Kind::Arrived:
    case Halt::Kind::Stepped:
    case Halt::Kind::BeforeEvent:
      break;
  }
  return stop;
}

Result<Bytes> DebugTarget::siginfo(Tid thread) {
  if (!siginfo_ || !(thread == stop_.thread)) return fail(ErrorKind::NotFound, "no signal");
  return *siginfo_;
}

Result<const History::Image*> DebugTarget::image(Tid process) {
  const EventNo now = timeline_.session().position();
  TMREC_TRY(const auto* known, timeline_.brief(EventNo(now.value + 1)));
  (void)known;  // reading is what matters
  const History::Image* image = history_.image_of(process, now);
  if (image == nullptr) return fail(ErrorKind::BadTrace, "the recording does not say what the process executes");
  return image;
}

Result<Bytes> DebugTarget::auxv() {
  TMREC_TRY(const History::Image* const now, image(viewed_));
  TMREC_TRY(Snapshot snapshot, history_.snapshot(*now));
  return std::move(snapshot.auxv);
}

Result<std::string> DebugTarget::executable(std::optional<Tid> process) {
  TMREC_TRY(const History::Image* const now, image(process.value_or(viewed_)));
  return now->program;
}

// Without what is tmrec's, with the names of the recorded files.
std::vector<gdbstub::Region> DebugTarget::regions() {
  Task* const task = any_task();
  if (task == nullptr) return {};
  std::vector<gdbstub::Region> list;
  for (const tracee::MapsLine& line : tracee::read_maps(task->stub->tid()).value_or(std::vector<tracee::MapsLine>{})) {
    const std::uint64_t start = line.start.value;
    const bool ours = (start >= kStubPage && start < kStubPage + kStubSize) ||
                      (start >= agent::kBase && start < agent::kEnd) ||
                      task->space->patches.with_block(start) != nullptr;
    if (ours) continue;
    std::string permissions;
    for (const auto& [bit, letter] : {std::pair(PROT_READ, 'r'), {PROT_WRITE, 'w'}, {PROT_EXEC, 'x'}}) {
      if ((line.prot & bit) != 0) permissions += letter;
    }
    const std::string blob = std::filesystem::path(line.name).filename().string();
    const std::string name = history_.path_of(BlobId{blob}).value_or(line.name.starts_with('[') ? line.name : "");
    list.push_back({line.start, line.end, std::move(permissions), line.shared, line.offset, name});
  }
  return list;
}

namespace {

// As in /proc/PID/maps.
std::string maps(const std::vector<gdbstub::Region>& regions) {
  std::string text;
  for (const gdbstub::Region& region : regions) {
    const auto letter = [&](char c) { return region.permissions.find(c) == std::string::npos ? '-' : c; };
    text +=
        fmt::format("{:x}-{:x} {}{}{}{} {:08x} 00:00 0 {:>{}}{}\n", region.begin.value, region.end.value, letter('r'),
                    letter('w'), letter('x'), region.shared ? 's' : 'p', region.offset, "", 20, region.name);
  }
  return text;
}

}  // namespace

// Debug information in files of its own was not mapped: a pack may have brought it; this machine's is no secret, and
// the debugger checks that it belongs to what it debugs.
Result<gdbstub::OpenFile> DebugTarget::open(const std::string& path) {
  TMREC_TRY(const History::Image* const now, image(viewed_));
  if (learned_ < now->since) {
    TMREC_CHECKED(history_.learn_files(*now));
    learned_ = now->since;
  }
  Fd file;
  if (path.starts_with("/proc/") && path.ends_with("/maps")) {
    const std::string text = maps(regions());
    if (text.empty()) return fail(ErrorKind::NotFound, "the process has ended");
    file.reset(memfd_create("tmrec-maps", MFD_CLOEXEC));
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(text.data());
    if (!file || write_all(file.get(), {bytes, text.size()}) != 0) return fail_errno("cannot create a memory file");
  } else if (const auto blob = history_.file(path)) {
    TMREC_TRY(const int opened, timeline_.session().objects().blobs()->open_verified(*blob));
    file.reset(opened);
  } else if (path.starts_with(kDebugDirectory) && path.find("/../") == std::string::npos) {
    auto packed = open_file(timeline_.session().trace().debug_file(path.substr(kDebugDirectory.size())),
                            O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
    if (packed) {
      file = std::move(*packed);
    } else {
      TMREC_TRY(file, open_file(path, O_RDONLY | O_NONBLOCK));
    }
  }
  struct stat st {};
  if (!file || fstat(file.get(), &st) < 0 || !S_ISREG(st.st_mode)) {
    return fail(ErrorKind::NotFound, "not a file of the recorded program's");
  }
  const int handle = file.get();
  files_[handle] = std::move(file);
  return gdbstub::OpenFile{handle, static_cast<std::uint64_t>(st.st_size)};
}

Result<Bytes> DebugTarget::read(int handle, std::uint64_t offset, std::size_t size) {
  const auto file = files_.find(handle);
  if (file == files_.end()) return fail(ErrorKind::NotFound, "not open");
  Bytes bytes(size);
  const std::int64_t have = read_at(file->second.get(), offset, bytes);
  if (have < 0) return fail_errno("cannot read");
  bytes.resize(static_cast<std::size_t>(have));
  return bytes;
}

bool DebugTarget::close(int handle) { return files_.erase(handle) != 0; }

}  // namespace tmrec::replayer
