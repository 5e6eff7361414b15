#include "sched/loop.h"

#include <sched.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <utility>

#include <fmt/format.h>

#include "tracee/broken.h"
#include "tracee/proc.h"

namespace tmrec::sched {

using tracee::Resume;
using tracee::Stop;
using tracee::Stopped;
using Clock = std::chrono::steady_clock;

namespace {

// A call in an uninterruptible wait usually ends by itself (a disk, a page); one that lasts this long may be waiting
// for another task of the recording.
constexpr auto kUninterruptiblePatience = std::chrono::milliseconds(50);

// A parent asks for its child as soon as it reports the birth, so a child nobody has asked for after this time has lost
// its parent in between.
constexpr auto kNewbornPatience = std::chrono::seconds(5);

bool is_end(const Stop& stop) { return stop.kind == Stop::Kind::Exiting || stop.kind == Stop::Kind::Exited; }

}  // namespace

// ---- LoopTask: called from the fiber -------------------------------------------------------------------------------

Stopped& LoopTask::stopped() {
  if (!stopped_) throw tracee::TaskDied{tid_};
  return *stopped_;
}

Stop LoopTask::wait_for_stop() {
  ++resumed_;
  while (!stop_pending_) fiber_.suspend();
  stop_pending_ = false;
  if (is_end(stop_)) throw TaskEnding{};
  return stop_;
}

Stop LoopTask::run(Resume how, int signal) {
  Stopped now = std::move(stopped());
  stopped_.reset();
  state_ = State::Runs;
  running_ = std::move(now).resume(how, signal);
  return wait_for_stop();
}

void LoopTask::go_into_call(Resume how, std::function<void()> on_give_way, bool surely_blocks) {
  Stopped now = std::move(stopped());
  stopped_.reset();
  state_ = State::InCall;
  surely_blocks_ = surely_blocks;
  on_give_way_ = std::move(on_give_way);
  running_ = std::move(now).resume(how);
}

Stop LoopTask::run_call(std::function<void()> on_give_way, bool surely_blocks) {
  go_into_call(Resume::ToSyscall, std::move(on_give_way), surely_blocks);
  return wait_for_stop();
}

Stop LoopTask::wait_without_baton(bool briefly) {
  go_into_call(Resume::Continue, [] {}, true);
  if (briefly) running_->interrupt();
  return wait_for_stop();
}

Stop LoopTask::park() {
  Stopped now = std::move(stopped());
  stopped_.reset();
  running_ = std::move(now).resume(Resume::Listen);
  state_ = State::Parked;
  return wait_for_stop();
}

bool LoopTask::is_computing() const { return state_ == State::Runs && running_.has_value() && loop_.holder_ == this; }

bool LoopTask::others_wait() const { return !loop_.ready_.empty(); }

void LoopTask::yield(SwitchEvent::Reason reason) {
  if (loop_.ready_.empty()) return;
  loop_.handed_over_for_ = reason;
  loop_.make_ready(*this);
  loop_.holder_ = nullptr;
  fiber_.suspend();
  // Killed meanwhile: the stop at its exit is the next one, and is not to be left unseen.
  if (stop_pending_ && is_end(stop_)) throw TaskEnding{};
}

void LoopTask::rest() {
  loop_.handed_over_for_ = SwitchEvent::Reason::SliceEnd;
  loop_.resting_.push_back(this);
  state_ = State::Ready;
  loop_.holder_ = nullptr;
  fiber_.suspend();
  std::erase(loop_.resting_, this);
  if (stop_pending_ && is_end(stop_)) throw TaskEnding{};
}

void Loop::wake_resting() {
  for (LoopTask* task : std::exchange(resting_, {})) make_ready(*task);
}

void LoopTask::preemption_point() {
  if (slice_left_ > 0) --slice_left_;
  if (slice_left_ == 0) yield(SwitchEvent::Reason::SliceEnd);
}

// Whether the end of the task will not be reported while this one waits for it: a leader whose threads live on stays a
// zombie that waitpid says nothing of (ptrace(2), "Death under ptrace").
bool LoopTask::has_gone() {
  auto state = tracee::task_state(tid_);
  if (state == 'Z') loop_.unreaped_.insert(tid_);
  return loop_.all_gone_ || !state || *state == 'X' || *state == 'Z';
}

void LoopTask::after_birth() {
  if (loop_.policy_.newborn_first()) yield(SwitchEvent::Reason::SliceEnd);
}

bool LoopTask::await_exit_stop() {
  while (!(is_end(stop_) && (stop_pending_ || stopped_ || stop_.kind == Stop::Kind::Exited))) {
    if (loop_.wait_one(false)) continue;
    // Killed between a stop and being resumed from it, it leaves its exit stop with that resume.
    if (has_gone()) {
      stop_ = Stop{.status = SIGKILL};
      break;
    }
    sched_yield();
  }
  stop_pending_ = false;
  return stop_.kind == Stop::Kind::Exiting && stopped_.has_value();
}

void LoopTask::await_end() {
  if (stopped_) {
    Stopped now = std::move(*stopped_);
    stopped_.reset();
    running_ = std::move(now).resume(Resume::Continue);
  }
  while (stop_.kind != Stop::Kind::Exited) {
    if (loop_.wait_one(false)) continue;
    if (has_gone()) break;
    sched_yield();
  }
  stop_pending_ = false;
}

// ---- Loop ----------------------------------------------------------------------------------------------------------

Loop::Loop(Policy policy, Callbacks callbacks) : policy_(policy), callbacks_(std::move(callbacks)) {}
Loop::~Loop() = default;

LoopTask* Loop::find(pid_t tid) {
  auto it = tasks_.find(tid);
  return it == tasks_.end() ? nullptr : it->second.get();
}

LoopTask& Loop::add(pid_t tid, Stopped first, std::function<void(LoopTask&)> body) {
  auto task = std::unique_ptr<LoopTask>(new LoopTask(*this, tid, std::move(body)));
  LoopTask& added = *task;
  added.priority_ = policy_.priority();
  added.stopped_ = std::move(first);
  added.stop_.kind = Stop::Kind::EventStop;
  // The kernel may give the id of a task that has ended, and whose fiber has, to a new one.
  tasks_[tid] = std::move(task);
  make_ready(added);
  return added;
}

std::optional<Stopped> Loop::await_newborn(pid_t tid) {
  for (;;) {
    auto it = newborns_.find(tid);
    if (it != newborns_.end()) {
      int status = it->second.status;
      newborns_.erase(it);
      if (WIFSTOPPED(status)) return tracee::Running(tid).stopped();
      // The end of an earlier task that had the same id is not the end of this one.
      auto state = tracee::task_state(tid);
      if (!state || *state == 'Z' || *state == 'X') return std::nullopt;
    }
    if (!wait_one(true)) return std::nullopt;
  }
}

void Loop::make_ready(LoopTask& task) {
  task.state_ = LoopTask::State::Ready;
  if (std::find(ready_.begin(), ready_.end(), &task) != ready_.end()) return;
  ready_.push_back(&task);
}

// A stop in front of a signal that has been reported no longer delivers it when the supervisor is killed: the SIGSYS of
// a call that was kept from the kernel would be lost, and the call with it. So a stop is looked at, and only taken if
// its task still stands there at the next look (kernel/exit.c, wait_task_stopped: WNOWAIT keeps the code that
// ptrace_stop returns; only in front of a signal does that matter). A task after execve has no tracer before its stop
// is taken (kernel/ptrace.c, looks_like_a_spurious_pid).
bool Loop::wait_one(bool block) {
  if (take_looked_at()) return true;
  siginfo_t info{};
  const int options = WEXITED | WSTOPPED | WNOWAIT | __WALL | (block ? 0 : WNOHANG);
  if (waitid(P_ALL, 0, &info, options) < 0) {
    if (errno == ECHILD) all_gone_ = true;
    return errno == EINTR && block;
  }
  if (info.si_pid == 0) return false;
  int status = (info.si_status << 8) | 0x7f;
  const bool stopped = info.si_code == CLD_TRAPPED || info.si_code == CLD_STOPPED;
  if (stopped && tracee::decode_wait_status(status).kind != Stop::Kind::Exec) {
    looked_at_ = {info.si_pid, status};
  } else if (waitpid(info.si_pid, &status, __WALL | WNOHANG) <= 0) {
    return true;  // it has changed meanwhile
  }
  dispatch(info.si_pid, status);
  return true;
}

// True: it was another stop than the one that was seen, which has been dispatched.
bool Loop::take_looked_at() {
  const auto [tid, seen] = std::exchange(looked_at_, {});
  const LoopTask* const task = tid == 0 ? nullptr : find(tid);
  const bool resumed = task != nullptr && !task->stopped_;
  siginfo_t info{};
  if (tid == 0 || resumed || waitid(P_PID, static_cast<id_t>(tid), &info, WSTOPPED | WNOHANG | __WALL) < 0)
    return false;
  const int status = (info.si_status << 8) | 0x7f;
  if (info.si_pid == 0 || status == seen) return false;
  dispatch(tid, status);  // it was killed meanwhile
  return true;
}

void Loop::take_over_leader(pid_t leader, int status) {
  // An exec from a thread that was not the leader: the thread now has the leader's id, and the stop is its own.
  unsigned long former = 0;
  if (ptrace(PTRACE_GETEVENTMSG, leader, 0, &former) < 0 || static_cast<pid_t>(former) == leader) return;
  LoopTask* caller = find(static_cast<pid_t>(former));
  if (caller == nullptr || tracee::decode_wait_status(status).kind != Stop::Kind::Exec) return;
  auto node = tasks_.extract(static_cast<pid_t>(former));
  unreaped_.erase(leader);
  if (auto old = tasks_.find(leader); old != tasks_.end()) {
    // Its fiber may be the one that is running, waiting for exactly this: its end is not reported otherwise.
    old->second->stop_ = Stop{};
    old->second->stopped_.reset();
    superseded_.push_back(std::move(old->second));
    tasks_.erase(old);
  }
  node.key() = leader;
  node.mapped()->tid_ = leader;
  if (last_holder_ == static_cast<pid_t>(former)) last_holder_ = leader;
  tasks_.insert(std::move(node));
}

void Loop::dispatch(pid_t tid, int status) {
  Stop stop = tracee::decode_wait_status(status);
  if (stop.kind == Stop::Kind::Exec) take_over_leader(tid, status);
  LoopTask* task = find(tid);
  if (stop.kind == Stop::Kind::Exited) callbacks_.on_exited(tid, status);
  if (stop.kind == Stop::Kind::Exited && unreaped_.erase(tid) > 0) return;
  if (task == nullptr) {
    newborns_[tid] = {status, Clock::now()};
    return;
  }
  task->stop_ = stop;
  task->stop_pending_ = true;
  task->sleeps_ = false;
  task->running_.reset();
  task->stopped_.reset();
  if (stop.kind != Stop::Kind::Exited) task->stopped_ = tracee::Running(tid).stopped();
  if (is_end(stop)) task->urgent_ = true;
  if (stop.kind == Stop::Kind::Exec) task->executed_ = true;
  if (task != holder_) make_ready(*task);
}

std::size_t Loop::choose() {
  if (!policy_.chaos) return policy_.choose(ready_.size());
  std::vector<std::uint32_t> priorities;
  for (LoopTask* task : ready_) {
    if (policy_.changes_priority()) task->priority_ = policy_.priority();
    priorities.push_back(task->priority_);
  }
  return policy_.choose(priorities.data(), priorities.size());
}

LoopTask* Loop::next_ready() {
  auto urgent = std::find_if(ready_.begin(), ready_.end(), [](LoopTask* t) { return t->urgent_; });
  auto it = urgent != ready_.end() ? urgent : ready_.begin() + static_cast<long>(choose());
  LoopTask* task = *it;
  ready_.erase(it);
  return task;
}

void Loop::run() {
  for (;;) {
    callbacks_.on_tick();
    if (!newborns_.empty()) check_newborns();
    if (callbacks_.exchange != nullptr && callbacks_.exchange->is_theirs() && !follow_exchange()) {
      if (all_gone_) return;
      continue;
    }
    if (holder_ == nullptr) {
      if (ready_.empty()) {
        if (!all_gone_ && resting_.empty() && callbacks_.exchange != nullptr &&
            callbacks_.exchange->leave_free(last_holder_))
          continue;
        if (all_gone_ || !wait_one(true)) return;
        continue;
      }
      holder_ = next_ready();
      others_wait_since_.reset();
      if (holder_->tid_ != last_holder_) callbacks_.on_switch(last_holder_, holder_->tid_, handed_over_for_);
      last_holder_ = holder_->tid_;
      holder_->slice_left_ = policy_.slice();
      if (std::exchange(holder_->sleeps_, false)) {
        holder_->state_ = LoopTask::State::Runs;
        callbacks_.exchange->hand_to(holder_->tid_);
        continue;
      }
      drive(*holder_);
    } else if (holder_->stop_pending_) {
      drive(*holder_);
    } else {
      wait_for_holder();
    }
  }
}

// Tasks that sleep for the baton are as ready as those that have stopped.
void Loop::note_sleepers() {
  std::erase_if(ready_, [](const LoopTask* task) { return task->sleeps_; });
  for (const pid_t tid : callbacks_.exchange->sleepers()) {
    LoopTask* const task = find(tid);
    if (task == nullptr || task == holder_ || !task->running_) continue;
    task->sleeps_ = true;
    make_ready(*task);
  }
}

// The tasks hand the baton on. True: it is the loop's again, since whoever has it has stopped; or nobody has, and a
// task that has stopped could.
bool Loop::follow_exchange() {
  Exchange& exchange = *callbacks_.exchange;
  const pid_t has_it = exchange.holder();
  LoopTask* const now = has_it == 0 ? nullptr : find(has_it);
  if (has_it != 0 && now == nullptr) throw EndRecording{fmt::format("task {} runs, and is not known", has_it)};
  if (now != holder_) {
    LoopTask* const before = std::exchange(holder_, now);
    if (before != nullptr && before->stop_pending_) make_ready(*before);
    others_wait_since_.reset();
    if (now != nullptr) {
      std::erase(ready_, now);
      now->sleeps_ = false;
      now->state_ = LoopTask::State::Runs;
    }
  }
  auto others_stopped = [this] {
    return std::ranges::any_of(ready_, [](const LoopTask* task) { return !task->sleeps_; });
  };
  if ((now != nullptr ? now->stop_pending_ : others_stopped()) && exchange.take_back(has_it)) {
    note_sleepers();
    last_holder_ = exchange.last_holder();
    handed_over_for_ = SwitchEvent::Reason::Blocked;
    if (now == nullptr || has_it == last_holder_) return true;
    callbacks_.on_switch(last_holder_, has_it, handed_over_for_);
    last_holder_ = has_it;
    return true;
  }
  note_sleepers();
  exchange.set_wanted(others_stopped());
  if (now != nullptr) {
    wait_for_holder();
  } else {
    wait_one(true);
  }
  return false;
}

void Loop::drive(LoopTask& task) {
  const auto begun = Clock::now();
  task.fiber_.resume();
  // What the supervisor did meanwhile (to plan a module takes seconds) was not the task's time.
  if (others_wait_since_) *others_wait_since_ += Clock::now() - begun;
  if (task.fiber_.done()) {
    handed_over_for_ = SwitchEvent::Reason::Exit;
    if (holder_ == &task) holder_ = nullptr;
    std::erase(ready_, &task);
    auto it = tasks_.find(task.tid_);
    if (it != tasks_.end() && it->second.get() == &task) tasks_.erase(it);
    std::erase_if(superseded_, [&](const auto& old) { return old.get() == &task; });
  } else if (holder_ == &task && task.state_ == LoopTask::State::Parked) {
    handed_over_for_ = SwitchEvent::Reason::Stopped;
    holder_ = nullptr;
  }
}

void Loop::give_way(LoopTask& task, SwitchEvent::Reason reason) {
  task.on_give_way_();
  handed_over_for_ = reason;
  holder_ = nullptr;
}

// A leader that another thread's exec or exit has killed, while those it killed as well wait for the baton to end.
bool Loop::died_unnoticed(LoopTask& task) {
  bool others_end = std::any_of(ready_.begin(), ready_.end(), [](LoopTask* t) { return t->urgent_; });
  if (!others_end || task.stop_pending_ || !task.has_gone()) return false;
  task.stop_ = Stop{.status = SIGKILL};
  task.stop_pending_ = true;
  task.running_.reset();
  return true;
}

void Loop::wait_for_holder() {
  LoopTask& task = *holder_;
  if (task.state_ != LoopTask::State::InCall || ready_.empty()) {
    if (task.state_ == LoopTask::State::InCall && task.surely_blocks_)
      return give_way(task, SwitchEvent::Reason::Blocked);
    if (died_unnoticed(task)) return;
    if (!wait_one(true)) throw EndRecording{"the kernel reports no traced task while one should run"};
    if (holder_ == &task && task.state_ == LoopTask::State::Runs && !task.stop_pending_) check_starvation();
    return;
  }
  bool urgent = std::any_of(ready_.begin(), ready_.end(), [](LoopTask* t) { return t->urgent_; });
  if (urgent || task.surely_blocks_) return give_way(task, SwitchEvent::Reason::Blocked);
  auto started = Clock::now();
  while (!task.stop_pending_) {
    if (wait_one(false)) continue;
    // Both share a CPU: yielding lets the call run until it is done or sleeps.
    auto state = tracee::task_state(task.tid_);
    bool sleeps = state == 'S' || (state == 'D' && Clock::now() - started > kUninterruptiblePatience);
    if (sleeps) {
      if (!wait_one(false) && !task.stop_pending_) return give_way(task, SwitchEvent::Reason::Blocked);
      continue;
    }
    sched_yield();
  }
}

void Loop::check_starvation() {
  if (ready_.empty()) {
    others_wait_since_.reset();
    return;
  }
  auto now = Clock::now();
  const auto used = tracee::cpu_time(holder_->tid_).value_or(std::chrono::nanoseconds{});
  if (!others_wait_since_) {
    others_wait_since_ = now;
    used_before_ = used;
  }
  if (now - *others_wait_since_ < starvation_limit) return;
  // On a busy machine a second may be little of its own.
  if (tracee::task_state(holder_->tid_) == 'R' && used - used_before_ < starvation_limit) return;
  const std::string why =
      fmt::format("task {} has computed for {} ms without a system call while task {} waits, and can't be preempted",
                  holder_->tid_, starvation_limit.count(), ready_.front()->tid_);
  if (!callbacks_.on_starved || !callbacks_.on_starved(holder_->tid_, why)) throw EndRecording{why};
}

void Loop::check_newborns() {
  bool some_parent_is_waiting = std::any_of(tasks_.begin(), tasks_.end(), [](const auto& entry) {
    return entry.second->stop_pending_ && entry.second->stop_.kind == Stop::Kind::Clone;
  });
  auto now = Clock::now();
  for (auto it = newborns_.begin(); it != newborns_.end();) {
    bool expired = now - it->second.since > kNewbornPatience;
    if (expired && WIFSTOPPED(it->second.status) && !some_parent_is_waiting) {
      throw EndRecording{fmt::format("the parent of task {} was killed while it created the task", it->first)};
    }
    // The kernel gives the id to another task later.
    it = expired && !WIFSTOPPED(it->second.status) ? newborns_.erase(it) : std::next(it);
  }
}

// Tasks that cannot be stopped within the time are left out: those that wait uninterruptibly (for a child that shares
// memory, vfork); others on a busy machine, only after kMost. One that has just made a task, or begun a
// program, is taken to the end of that call first: changed registers would lose its result.
void Loop::stop_all(std::chrono::milliseconds patience) {
  for (auto& [tid, task] : tasks_) {
    if (task->running_) task->running_->interrupt();
  }
  constexpr std::chrono::milliseconds kMost(6000), kBetweenLooks(10);
  const auto begun = Clock::now();
  auto until = begun + patience;
  auto some_will_stop = [this] {
    return std::ranges::any_of(tasks_, [](const auto& entry) {
      const char state = tracee::task_state(entry.first).value_or('X');
      return entry.second->running_ && state != 'D' && state != 'Z' && state != 'X';
    });
  };
  auto still_running = [this] {
    bool any = false;
    for (auto& [tid, task] : tasks_) {
      const auto kind = task->stop_.kind;
      const bool midway = kind == Stop::Kind::Clone || kind == Stop::Kind::Exec || kind == Stop::Kind::VforkDone;
      if (task->stopped_ && midway) {
        task->running_ = std::move(*task->stopped_).resume(Resume::ToSyscall);
        task->stopped_.reset();
      }
      any = any || task->running_.has_value();
    }
    return any;
  };
  while (still_running()) {
    if (Clock::now() >= until) {
      if (Clock::now() - begun >= kMost || !some_will_stop()) break;
      until += kBetweenLooks;
    }
    if (!wait_one(false)) {
      if (all_gone_) break;
      sched_yield();
    }
  }
}

void Loop::release_together(const std::function<void(std::vector<Leaving>&, bool)>& release) {
  auto release_stopped = [&](bool all) {
    std::deque<Stopped> born;
    std::vector<Leaving> leaving;
    for (auto& [tid, newborn] : newborns_) {
      if (!WIFSTOPPED(newborn.status)) continue;
      born.push_back(tracee::Running(tid).stopped());
      leaving.push_back({&born.back(), tracee::decode_wait_status(newborn.status)});
    }
    newborns_.clear();
    for (auto& [tid, task] : tasks_) {
      if (!task->stopped_) continue;
      if (is_end(task->stop_)) {
        std::move(*task->stopped_).detach();
        task->stopped_.reset();
      } else {
        leaving.push_back({&*task->stopped_, task->stop_, 0, nullptr, task->executed_});
      }
    }
    release(leaving, all);
    for (Leaving& one : leaving) std::move(*one.task).detach(one.signal);
    for (auto& [tid, task] : tasks_) task->stopped_.reset();
  };
  auto running = [this] {
    return std::any_of(tasks_.begin(), tasks_.end(), [](auto& e) { return e.second->running_.has_value(); });
  };
  constexpr std::chrono::milliseconds kPatience(300), kMorePatience(5000);
  stop_all(kPatience);
  const bool all = !running();
  release_stopped(all);
  if (all) return;
  // Those that wait for one that was just released: for a child that shares memory to execute a program (vfork).
  stop_all(kMorePatience);
  release_stopped(false);
}

void Loop::release_all(const std::function<bool(Stopped&, const Stop&)>& release) {
  stop_all(std::chrono::seconds(2));
  // One that can't be released must not keep the others.
  auto let_go = [&](Stopped& task, const Stop& stop) {
    bool swallows = false;
    try {
      swallows = !is_end(stop) && release(task, stop);
    } catch (const tracee::TaskDied&) {
      return;
    } catch (const BrokenInvariant&) {
    }
    std::move(task).detach(stop.kind == Stop::Kind::Signal && !swallows ? stop.signal : 0);
  };
  for (auto& [tid, newborn] : newborns_) {
    if (!WIFSTOPPED(newborn.status)) continue;
    Stopped task = tracee::Running(tid).stopped();
    let_go(task, tracee::decode_wait_status(newborn.status));
  }
  newborns_.clear();
  for (auto& [tid, task] : tasks_) {
    if (!task->stopped_) continue;
    let_go(*task->stopped_, task->stop_);
    task->stopped_.reset();
  }
}

}  // namespace tmrec::sched
