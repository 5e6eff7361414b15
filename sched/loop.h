// The loop that owns waitpid and the baton.
//
// The problem: many traced tasks, of which exactly one may run program code at a time, and which stop, block in the
// kernel, are killed and are born whenever they like. The solution: each task is a fiber; the loop maps every wait
// status to its task, hands the baton to one ready task after another as the policy says, and takes it away from a task
// that sleeps in the kernel while another is ready. Rejected: one state machine over all tasks, in which "what was this
// task doing" is spread over flags.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "format/event.h"
#include "sched/fiber.h"
#include "sched/policy.h"
#include "tracee/stop.h"
#include "tracee/task_handle.h"

namespace tmrec::sched {

class Loop;

// Thrown by LoopTask's waiting functions inside the task's fiber when the task is at its end (PTRACE_EVENT_EXIT or
// gone).
struct TaskEnding {};

// Thrown into a fiber, or out of Loop::run, when the recording is to end while its tasks still live.
struct EndRecording {
  std::string reason;
  bool asked = false;  // somebody wanted it to
};

class LoopTask {
 public:
  pid_t tid() const { return tid_; }

  // The following are called from the task's own fiber, which holds the baton; each resumes the task and returns at its
  // next stop, with the baton held again. They throw TaskEnding.
  tracee::Stop run(tracee::Resume how, int signal = 0);
  // Into a system call that stands at its entry stop. `on_give_way` is called (outside the fiber) if the baton is taken
  // while the call waits; `surely_blocks` gives it away at once.
  tracee::Stop run_call(std::function<void()> on_give_way, bool surely_blocks = false);
  // The task waits for something by itself, and then for the baton (Exchange::sleepers); others have that from now on.
  // `briefly`: it is stopped at once.
  tracee::Stop wait_without_baton(bool briefly);
  // Stays in a job control stop until something happens; the baton goes to others.
  tracee::Stop park();
  // It executes code of its own right now.
  bool is_computing() const;
  // Stops it soon, without a signal. It computes.
  void interrupt() const { running_->interrupt(); }
  // The same wherever it is, unless it is stopped.
  void interrupt_if_running() const {
    if (running_) running_->interrupt();
  }
  // Its end has been reported; it stays in a job control stop.
  bool is_ending() const { return urgent_; }
  bool is_parked() const { return state_ == State::Parked; }
  // Whether another task could run.
  bool others_wait() const;
  // Lets the others have a turn. Returns holding the baton, the task still in the stop it was in.
  void yield(SwitchEvent::Reason reason);
  // The same, and it is not ready again before Loop::wake_resting(), nor runs anybody whom the loop does not let.
  void rest();
  // The task has made another one, which may be let run first.
  void after_birth();
  // A place between two calls where the baton can change hands: yields when the task's slice is used up.
  void preemption_point();
  // Its memory is known to be that of the program it has executed last.
  void entered_program() { executed_ = false; }
  // Waits, keeping the baton, for the task to be gone after PTRACE_EVENT_EXIT was resumed.
  void await_end();
  // After TaskDied: waits for the stop at exit or the end. True: the task stands in PTRACE_EVENT_EXIT.
  bool await_exit_stop();

  tracee::Stopped& stopped();
  bool is_stopped() const { return stopped_.has_value(); }
  // The stop reported last.
  const tracee::Stop& last_stop() const { return stop_; }
  // How often it has been resumed.
  std::uint64_t resumed() const { return resumed_; }

 private:
  friend class Loop;
  LoopTask(Loop& loop, pid_t tid, std::function<void(LoopTask&)> body)
      : loop_(loop), tid_(tid), fiber_([this, b = std::move(body)] { b(*this); }) {}

  tracee::Stop wait_for_stop();
  void go_into_call(tracee::Resume how, std::function<void()> on_give_way, bool surely_blocks);
  bool has_gone();

  enum class State { Runs, InCall, Ready, Parked };

  Loop& loop_;
  pid_t tid_;
  Fiber fiber_;
  State state_ = State::Ready;
  bool stop_pending_ = false;  // stop_ has not been seen by the fiber yet
  bool sleeps_ = false;        // for the baton, by itself (Exchange::sleepers), not stopped
  bool urgent_ = false;        // at its end: others may be waiting for it inside the kernel
  bool surely_blocks_ = false;
  bool executed_ = false;  // a program
  tracee::Stop stop_;
  std::optional<tracee::Stopped> stopped_;
  std::optional<tracee::Running> running_;
  std::function<void()> on_give_way_;
  std::uint32_t slice_left_ = 0;
  std::uint64_t resumed_ = 0;
  std::uint32_t priority_ = 0;
};

// The baton while tasks hand it on among themselves, without a stop that the loop would see.
class Exchange {
 public:
  virtual ~Exchange() = default;
  // The baton is theirs; else it is the loop's, and nobody hands it on.
  virtual bool is_theirs() const = 0;
  // While it is theirs: who has it. 0: nobody; who can run next takes it. Throws EndRecording.
  virtual pid_t holder() const = 0;
  // Makes it the loop's. `holder` is stopped; or 0, then false says that somebody was quicker.
  virtual bool take_back(pid_t holder) = 0;
  // The last one that has had it, as the log knows.
  virtual pid_t last_holder() const = 0;
  // Tasks that sleep until they are given it, the longest sleeping first.
  virtual std::vector<pid_t> sleepers() const = 0;
  // The loop's is theirs: to one of those, which runs with it; or to nobody (false: nobody would ever take it).
  virtual void hand_to(pid_t sleeper) = 0;
  virtual bool leave_free(pid_t last_holder) = 0;
  // Somebody waits for it who can only get it from the loop.
  virtual void set_wanted(bool wanted) = 0;
};

class Loop {
 public:
  struct Callbacks {
    // The baton goes from `from` (0: nobody) to `to`, for `reason`.
    std::function<void(pid_t from, pid_t to, SwitchEvent::Reason reason)> on_switch;
    // waitpid reported the end of `pid`; for the leader of a process, after all of its tasks have gone.
    std::function<void(pid_t pid, int status)> on_exited;
    // Called at least every 100 ms and between stops; throw EndRecording to end.
    std::function<void()> on_tick;
    // A task computes for longer than starvation_limit while another one is ready. True: it will be stopped, at least
    // when this is called again some time later; else run() throws EndRecording.
    std::function<bool(pid_t by, const std::string& why)> on_starved = nullptr;
    Exchange* exchange = nullptr;  // null: tasks do no such thing
  };

  Loop(Policy policy, Callbacks callbacks);
  ~Loop();

  // A task that is stopped, or will stop by itself first thing; `body` is its life.
  LoopTask& add(pid_t tid, tracee::Stopped first, std::function<void(LoopTask&)> body);

  // Waits for the first stop of a task the kernel attached for us (PTRACE_O_TRACECLONE and the like); nullopt when it
  // died before.
  std::optional<tracee::Stopped> await_newborn(pid_t tid);

  Policy& policy() { return policy_; }

  // All tasks that rest are ready again.
  void wake_resting();

  // Until no task is left. Throws EndRecording and whatever a fiber throws.
  void run();

  // Stops every task, calls `release` for each in a stop in which its registers and memory can be changed, and
  // detaches it; with the signal it stands in front of, unless `release` says that it has dealt with that. Fibers are
  // abandoned.
  void release_all(const std::function<bool(tracee::Stopped&, const tracee::Stop&)>& release);

  // The same, with one call for all tasks before the first of them is detached, with `signal`. `all`: there are no
  // others; else it is called again for those that could only be stopped later.
  struct Leaving {
    tracee::Stopped* task;
    tracee::Stop stop;
    int signal = 0;
    void* extra = nullptr;  // the caller's
    bool executed = false;  // another program, since LoopTask::entered_program()
  };
  void release_together(const std::function<void(std::vector<Leaving>&, bool all)>& release);

  // How long a task may compute while another one is ready (Callbacks::on_starved).
  std::chrono::milliseconds starvation_limit{1000};

 private:
  friend class LoopTask;

  void stop_all(std::chrono::milliseconds patience);
  bool wait_one(bool block);
  bool take_looked_at();
  void dispatch(pid_t tid, int status);
  void take_over_leader(pid_t leader, int status);
  bool died_unnoticed(LoopTask& task);
  bool follow_exchange();
  void note_sleepers();
  void make_ready(LoopTask& task);
  std::size_t choose();
  LoopTask* next_ready();
  void drive(LoopTask& task);
  void wait_for_holder();
  void give_way(LoopTask& task, SwitchEvent::Reason reason);
  void check_starvation();
  void check_newborns();
  LoopTask* find(pid_t tid);

  Policy policy_;
  Callbacks callbacks_;
  std::unordered_map<pid_t, std::unique_ptr<LoopTask>> tasks_;
  std::vector<std::unique_ptr<LoopTask>> superseded_;  // leaders whose id another thread took over by exec
  struct Newborn {
    int status = 0;  // of its last stop or its end, as waitpid gave it
    std::chrono::steady_clock::time_point since;
  };
  std::unordered_map<pid_t, Newborn> newborns_;  // tasks not added yet
  std::unordered_set<pid_t> unreaped_;           // leaders whose fiber has ended and whose end waitpid will report
  std::deque<LoopTask*> ready_;
  std::vector<LoopTask*> resting_;
  LoopTask* holder_ = nullptr;
  pid_t last_holder_ = 0;
  SwitchEvent::Reason handed_over_for_ = SwitchEvent::Reason::Exit;
  // Since when the holder has run, less what the supervisor took, while others are ready; and its CPU time then.
  std::optional<std::chrono::steady_clock::time_point> others_wait_since_;
  std::chrono::nanoseconds used_before_{};
  bool all_gone_ = false;
  struct LookedAt {
    pid_t tid = 0;
    int status = 0;
  };
  LookedAt looked_at_;  // the last stop, still to be taken from the kernel
};

}  // namespace tmrec::sched
