// Starting points: the state of the whole recording between two events, from which a replay can begin, while tasks stay
// recorded (StartEvent).
//
// A starting point is taken where a task stands behind an event of its own. All others then wait for their turn behind
// events of theirs, or in calls of which the entry has been recorded, so that replay knows where each of them is
// without any of them being disturbed. Where one is not in such a place (it is being born, is at its end, executes a
// program, borrows memory, is stopped by job control), the starting point is put off. Of memory everything is copied
// while the program stands still, or by a fork of the one process that can make one (space_copy.h), and written while
// it runs again; patched text is what the file says, since the patches are made again at replay.
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <map>

#include <fmt/format.h>

#include "format/core_file.h"
#include "recorder/exec_snapshot.h"
#include "recorder/session.h"
#include "recorder/task_life.h"
#include "syscalls/effects.h"
#include "tracee/agent/agent.h"
#include "tracee/interrupted.h"
#include "tracee/proc.h"

namespace tmrec::recorder {

namespace {

std::atomic<bool> save_asked;

// A process that dies of one of these has gone wrong; of others it may have been told to end.
bool is_fault(int signal) {
  constexpr int kFaults[] = {SIGSEGV, SIGABRT, SIGBUS,  SIGILL,  SIGFPE, SIGSYS,
                             SIGTRAP, SIGQUIT, SIGXCPU, SIGXFSZ, SIGKILL};
  return std::ranges::find(kFaults, signal) != std::end(kFaults);
}

bool leaves_its_memory(std::uint64_t call) {
  return call == SYS_execve || call == SYS_execveat || call == SYS_exit || call == SYS_exit_group || call == SYS_vfork;
}

}  // namespace

void ask_to_save() { save_asked = true; }

// nullopt: it is not in a place where that can be said.
std::optional<StartEvent::Thread> TaskLife::standing() {
  if (task_.is_ending() || task_.is_parked() || space_->hidden_variable || process_->borrows_memory) return {};
  StartEvent::Thread thread;
  thread.tid = Tid(tid());
  thread.ticks = ticks();
  thread.area = area_;
  if (counts()) thread.scratch = memory().read_some(area_, agent::kSaved);
  if (entered_) {
    if (leaves_its_memory(entered_->regs.orig_rax)) return {};
    thread.in_call = true;
    thread.regs = entered_->regs;
    thread.xstate = entered_->xstate;
    return thread;
  }
  if (!task_.is_stopped()) return {};
  thread.regs = stopped().regs();
  thread.xstate = stopped().xstate();
  const auto ret = static_cast<std::int64_t>(thread.regs.rax);
  thread.restarts = interrupted_ && interrupted_->event.regs.rip == thread.regs.rip && syscalls::was_interrupted(ret) &&
                    ret != -EINTR;
  return thread;
}

// It stands behind an event of its own.
std::shared_ptr<SpaceCopy> TaskLife::copy_memory(const std::vector<AttachEvent::ForkAdvice>& not_copied) {
  if (!task_.is_stopped() || entered_ || tracee::is_interrupted(stopped().regs())) return nullptr;
  const Regs regs = stopped().regs();
  // The room is none of the agent's, whose calls alone reach the kernel.
  const auto conduct = counts() ? memory().get<agent::Conduct>(area_ + agent::kConduct) : std::nullopt;
  agent::Conduct open = conduct.value_or(agent::Conduct());
  open.dispatch = 0;
  if (conduct) agent::set_conduct(memory(), area_, open);
  std::vector<siginfo_t> arrived;
  auto copy = session_.copy_space(stopped(), process_->leader, *space_, not_copied, &arrived);
  stopped().set_regs(regs);
  if (conduct) agent::set_conduct(memory(), area_, *conduct);
  for (const siginfo_t& info : arrived) {
    if (!is_interrupt(info)) defer(info);
  }
  return copy;
}

bool Session::gather_start(pid_t by, StartEvent& start, std::vector<StartMemory>& snapshots) {
  std::map<pid_t, std::vector<TaskLife*>> processes;
  for (const auto& [tid, space] : spaces_) {
    if (!space.expired() && !lives_.contains(tid)) return false;  // born, and has not begun
  }
  std::map<const AddressSpace*, pid_t> owners;
  for (const auto& [tid, life] : lives_) {
    const pid_t process = life->process().leader;
    if (owners.try_emplace(&life->space(), process).first->second != process) return false;
    processes[process].push_back(life.get());
  }
  start.first = Tid(first_pid_);
  std::uint64_t resident = tracee::resident_memory(getpid());
  for (auto& [leader, lives] : processes) {
    // The event's own first, so that it is there at replay.
    std::ranges::sort(lives, {}, [&](const TaskLife* life) { return std::pair(life->id() != by, life->id()); });
    StartEvent::Process process;
    process.process = Tid(leader);
    for (TaskLife* life : lives) {
      auto thread = life->standing();
      if (!thread) return false;
      process.threads.push_back(std::move(*thread));
    }
    resident += tracee::resident_memory(lives.front()->id());
    start.processes.push_back(std::move(process));
  }
  if (options_.max_memory != 0 && resident > options_.max_memory) {
    throw sched::EndRecording{
        fmt::format("a starting point needs {} MiB of memory, more than --max-memory allows", resident >> 20)};
  }
  const std::uint64_t number = log_->last().value + 1;
  backings_.begin_start();
  for (StartEvent::Process& process : start.processes) {
    const pid_t tid = process.threads.front().tid.value;
    AddressSpace& space = *space_of(tid);
    process.fork_advice = fork_advice(tid);
    // Of the others nobody stands where it could make a call.
    const auto copy = tid == by ? lives_.at(by)->copy_memory(process.fork_advice) : nullptr;
    auto snapshot = take_memory(tid, space, *this, SnapshotOf::Middle, copy.get());
    if (!snapshot) return false;  // killed at this moment
    snapshot->process = process.process;
    snapshot->regs = process.threads.front().regs;
    snapshot->xstate = process.threads.front().xstate;
    process.snapshot = TraceDir::snapshot_name(EventNo(number), Tid(tid));
    process.program = snapshot->executable;
    process.arguments = snapshot->arguments;
    process.counted = std::ranges::any_of(process.threads, [](const auto& t) { return t.area.value != 0; });
    for (const tracee::PatchedModule& module : space.patches.modules()) {
      const auto plan = plan_ids_.find(module.plan.get());
      if (plan == plan_ids_.end()) return false;
      process.modules.push_back({module.text, module.block, plan->second, module.name, module.undone});
    }
    snapshots.push_back({std::move(*snapshot), copy});
  }
  backings_.end_start();
  return true;
}

void Session::check_memory_use() {
  const std::uint64_t used = tracee::resident_memory(getpid());
  if (used <= options_.max_memory) return;
  throw sched::EndRecording{fmt::format("tmrec has {} MiB of memory, more than --max-memory allows", used >> 20)};
}

void Session::take_start(pid_t by) {
  start_due_ = false;
  if (!save_reason_.empty() && ring_->save(save_reason_, std::chrono::nanoseconds(now_ns()), manifest_))
    save_reason_.clear();
  if (start_writing_.valid() && start_writing_.wait_for(std::chrono::seconds(0)) != std::future_status::ready) return;
  if (!ring_->due(std::chrono::nanoseconds(now_ns()))) return;
  const auto begun = std::chrono::steady_clock::now();
  StartEvent start;
  std::vector<StartMemory> snapshots;
  if (!gather_start(by, start, snapshots)) return;
  const EventNo number(log_->last().value + 1);
  ring_->begin(std::chrono::nanoseconds(now_ns()));
  append(by, std::move(start));
  write_start(number, std::move(snapshots));
  const auto took = std::chrono::steady_clock::now() - begun;
  ++manifest_.starts;
  manifest_.longest_start_ms =
      std::max(manifest_.longest_start_ms,
               static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(took).count()));
}

// The writing thread leaves signals and the program's CPU alone.
void Session::write_start(EventNo number, std::vector<StartMemory> snapshots) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  start_writing_ =
      std::async(std::launch::async, [this, number, all = std::move(snapshots), cpus = affinity]() mutable {
        sched_setaffinity(0, sizeof cpus, &cpus);
        std::uint64_t bytes = 0;
        const auto fail_with = [this](const std::string& why) {
          const std::lock_guard lock(start_failure_mutex_);
          start_failure_ = why;
        };
        for (auto& [snapshot, copy] : all) {
          if (const std::string why = copy ? copy->fill(snapshot) : ""; !why.empty()) return fail_with(why);
        }
        for (auto& [snapshot, copy] : all) {
          const auto path = trace_.snapshot(TraceDir::snapshot_name(number, snapshot.task));
          if (!path) return;
          if (const auto done = write_core(snapshot, *path); !done) return fail_with(done.error().text);
          struct stat file {};
          if (stat(path->c_str(), &file) == 0) bytes += static_cast<std::uint64_t>(file.st_size);
        }
        ring_->written(number, bytes);
      });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void Session::note_crash(pid_t task, const ExitEvent& event) {
  if (!WIFSIGNALED(event.status) || !is_fault(WTERMSIG(event.status))) return;
  const auto life = lives_.find(task);
  const pid_t process = life == lives_.end() ? task : life->second->process().leader;
  const std::string what = fmt::format("process {} was killed by SIG{}", process, sigabbrev_np(WTERMSIG(event.status)));
  if (ring_ && options_.on_crash && spaces_.size() > 1) {
    save_reason_ = what;
  } else if (crash_.empty()) {
    crash_ = what;
  }
}

std::string Session::why_keep(const std::string& ended_early) {
  std::string why = save_reason_;  // nothing has happened since then
  if (!ended_early.empty() && (ring_ || !ended_as_asked_)) {
    why = ended_early;
  } else if (options_.on_crash && !crash_.empty()) {
    why = crash_;
  } else if (options_.on_failure && exit_status_ && *exit_status_ != 0) {
    why = fmt::format("it ended with status {}", tracee::exit_status_of(*exit_status_));
  }
  if (ring_ && !why.empty()) {
    why += fmt::format("; the last {:.1f} s", std::chrono::duration<double>(ring_covered_).count());
    note("kept: " + why);
  }
  return why;
}

void Session::tend_ring(bool beat) {
  if (save_asked.exchange(false) && save_reason_.empty()) {
    save_reason_ = fmt::format("signal SIG{}", sigabbrev_np(options_.trigger));
  }
  // At the next event, when there will be one: what the agent has recorded since then is not in the log yet.
  constexpr int kPatience = 3;
  beats_to_save_ = save_reason_.empty() ? 0 : beats_to_save_ + (beat ? 1 : 0);
  const std::chrono::nanoseconds now(now_ns());
  if (beats_to_save_ >= kPatience && ring_->save(save_reason_, now, manifest_)) save_reason_.clear();
  const std::uint64_t every = options_.ring->window.events;
  const bool may_be_due = beat || (every != 0 && log_->last().value - last_start_looked_ >= every);
  if (may_be_due) last_start_looked_ = log_->last().value;
  start_due_ = start_due_ || !save_reason_.empty() || (may_be_due && ring_->due(now));
  if (!beat) return;
  {
    const std::lock_guard lock(start_failure_mutex_);
    if (!start_failure_.empty()) throw sched::EndRecording{start_failure_};
  }
  ring_->drop(now);
}

void Session::end_ring() {
  if (!ring_) return;
  if (start_writing_.valid()) start_writing_.wait();
  const std::chrono::nanoseconds now(now_ns());
  manifest_.first_event = ring_->first_event().value;
  ring_covered_ = ring_->covered(now);
  if (const std::string failed = ring_->finish(); !failed.empty()) note(failed);
}

}  // namespace tmrec::recorder
