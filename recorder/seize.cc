#include "recorder/seize.h"

#include <sched.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>

#include <fmt/format.h>

#include "recorder/process_tree.h"
#include "tracee/interrupted.h"
#include "tracee/proc.h"

namespace tmrec::recorder {

using tracee::Resume;
using tracee::Stop;
using Clock = std::chrono::steady_clock;

const long kTraceOptions = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                           PTRACE_O_TRACEVFORKDONE | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT;

namespace {

class Seizure {
 public:
  explicit Seizure(pid_t root) : root_(root) {}

  // All that can be found. True: there were new ones.
  Result<bool> seize() {
    bool any = false;
    for (const pid_t process : descendants(root_)) {
      for (const pid_t tid : threads_of(process)) {
        if (tasks_.contains(tid)) continue;
        if (ptrace(PTRACE_SEIZE, tid, 0, kTraceOptions) < 0) {
          const int why = errno;
          const auto state = tracee::task_state(tid);
          if (!state || *state == 'Z' || *state == 'X') continue;
          if (is_ours(tid)) continue;  // born of a task that is seized: it reports by itself
          return fail(ErrorKind::Machine, fmt::format("cannot trace task {}: {}", tid, std::strerror(why)));
        }
        tasks_.emplace(tid, SeizedTask(tid));
        any = true;
      }
    }
    return any;
  }

  void interrupt() {
    for (auto& [tid, task] : tasks_) {
      if (task.stopped || asked_.contains(tid)) continue;
      task.ran = tracee::last_ran(tid);
    }
    for (auto& [tid, task] : tasks_) {
      if (task.stopped || asked_.contains(tid)) continue;
      asked_.emplace(tid, true);
      tracee::Running(tid).interrupt();
    }
  }

  Result<void> await(Clock::time_point until) {
    auto look = Clock::now() + kBetweenLooks;
    while (std::ranges::any_of(tasks_, [](const auto& entry) { return !entry.second.stopped; })) {
      int status = 0;
      const pid_t tid = waitpid(-1, &status, __WALL | WNOHANG);
      if (tid > 0) {
        note(tid, status);
        continue;
      }
      if (tid < 0 && errno == ECHILD) return fail(ErrorKind::Machine, "the program has ended");
      if (Clock::now() > until) return too_slow();
      if (Clock::now() > look) {
        let_vforks_end();
        look = Clock::now() + kBetweenLooks;
      }
      sched_yield();
    }
    return {};
  }

  std::vector<SeizedTask> take() {
    std::vector<SeizedTask> all;
    for (auto& [tid, task] : tasks_) {
      task.process = tracee::thread_group_of(tid).value_or(tid);
      all.push_back(std::move(task));
    }
    // Processes in the order they were found, leaders first.
    const auto order = descendants(root_);
    auto rank = [&](const SeizedTask& task) {
      return std::make_tuple(std::ranges::find(order, task.process) - order.begin(), task.process,
                             task.tid != task.process);
    };
    std::ranges::stable_sort(all, [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
    return all;
  }

 private:
  static constexpr std::chrono::milliseconds kBetweenLooks{20};

  // Who has made a process by vfork stops when that has executed a program, which it can't while it is stopped itself.
  void let_vforks_end() {
    std::vector<pid_t> led;
    for (const auto& [waiting, task] : tasks_) {
      if (task.stopped || tracee::task_state(waiting) != 'D') continue;
      const auto parent = tracee::thread_group_of(waiting);
      for (auto& [tid, child] : tasks_) {
        const bool is_child =
            child.stopped && child.stop.kind == Stop::Kind::EventStop && tracee::parent_of(tid) == parent;
        if (!is_child) continue;
        std::move(*child.stopped).resume(Resume::Continue);
        child.stopped.reset();
        led.push_back(tid);
      }
    }
    if (led.empty()) return;
    usleep(2000);
    for (const pid_t tid : led) tracee::Running(tid).interrupt();
  }

  bool is_ours(pid_t tid) const {
    const auto status = tracee::read_file(fmt::format("/proc/{}/status", tid));
    return status && status->find(fmt::format("TracerPid:\t{}\n", getpid())) != std::string::npos;
  }

  std::unexpected<Error> too_slow() const {
    for (const auto& [tid, task] : tasks_) {
      if (task.stopped) continue;
      return fail(
          ErrorKind::Machine,
          fmt::format(
              "task {} does not stop (state {}): it starts a program by vfork, or waits for a device; try again", tid,
              tracee::task_state(tid).value_or('?')));
    }
    return fail(ErrorKind::Machine, "a task does not stop");
  }

  void note(pid_t tid, int status) {
    const Stop stop = tracee::decode_wait_status(status);
    if (stop.kind == Stop::Kind::Exited) return void(tasks_.erase(tid));
    SeizedTask& task = tasks_.try_emplace(tid, tid).first->second;
    tracee::Stopped stopped = tracee::Running(tid).stopped();
    switch (stop.kind) {
      case Stop::Kind::EventStop:
      case Stop::Kind::GroupStop:
        task.stop = stop;
        task.stopped = std::move(stopped);
        // At once: should the supervisor be killed now, its calls go on.
        try {
          wait_on(task);
        } catch (const tracee::TaskDied&) {
        }
        return;
      case Stop::Kind::Clone:
        try {
          tasks_.try_emplace(static_cast<pid_t>(stopped.event_message()), static_cast<pid_t>(stopped.event_message()));
        } catch (const tracee::TaskDied&) {
        }
        break;
      case Stop::Kind::Exec:
        try {
          // The thread has taken over its leader's number.
          const auto former = static_cast<pid_t>(stopped.event_message());
          if (former != tid) tasks_.erase(former);
        } catch (const tracee::TaskDied&) {
        }
        break;
      default:
        break;
    }
    // What was asked for comes behind this.
    if (asked_.contains(tid)) stopped_again(tid);
    std::move(stopped).resume(Resume::Continue, stop.kind == Stop::Kind::Signal ? stop.signal : 0);
  }

  static void wait_on(SeizedTask& task) {
    const Regs before = task.stopped->regs();
    Regs regs = before;
    tracee::wait_on(regs, {});
    if (regs == before) return;
    std::chrono::nanoseconds waited{};
    if (const auto ran = tracee::last_ran(task.tid); ran && task.ran) waited = *ran - *task.ran;
    regs = before;
    tracee::wait_on(regs, waited);
    task.stopped->set_regs(regs);
  }

  // An interruption that was asked for while the task did not run counts for nothing in some kernels.
  static void stopped_again(pid_t tid) { tracee::Running(tid).interrupt(); }

  pid_t root_;
  std::map<pid_t, SeizedTask> tasks_;
  std::map<pid_t, bool> asked_;
};

}  // namespace

void let_go(std::vector<SeizedTask>& tasks) {
  for (SeizedTask& task : tasks) {
    if (!task.stopped) continue;
    std::move(*task.stopped).detach();
    task.stopped.reset();
  }
}

Result<std::vector<SeizedTask>> seize_and_stop(pid_t root, std::chrono::milliseconds patience) {
  Seizure seizure(root);
  const auto until = Clock::now() + patience;
  for (;;) {
    auto more = seizure.seize();
    Result<void> stopped;
    if (more && *more) {
      seizure.interrupt();
      stopped = seizure.await(until);
      if (stopped) continue;
    }
    std::vector<SeizedTask> tasks = seizure.take();
    if (more && stopped && !tasks.empty()) return tasks;
    let_go(tasks);
    if (!more) return std::unexpected(more.error());
    if (!stopped) return std::unexpected(stopped.error());
    return fail(ErrorKind::Machine, "the program has ended");
  }
}

}  // namespace tmrec::recorder
