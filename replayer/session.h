// A replay under way: the recorded tasks, each with its stub, at the position after the event applied last.
//
// The log's order is the schedule: one event after the other is applied to its task, which first runs to where the
// event belongs. All tasks stand still between two events, and a task's state is data alone (registers, stub, whether
// it is inside a call), so a position can later be copied by forking the stubs. Rejected: a fiber per task as the
// recorder has; its stack would be state that no checkpoint could hold.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <unordered_map>

#include "format/log.h"
#include "format/trace_dir.h"
#include "replayer/objects.h"
#include "replayer/replayer.h"
#include "replayer/run_control.h"
#include "replayer/task.h"
#include "syscalls/row.h"
#include "tracee/agent/agent.h"
#include "tracee/patched_space.h"

namespace tmrec::replayer {

class Session {
 public:
  Session(TraceDir trace, BlobStore blobs, LogReader log, bool echo, bool trap_cpuid);
  // With blobs that other sessions use, too; repeats no output.
  Session(TraceDir trace, std::shared_ptr<BlobStore> blobs, LogReader log, bool trap_cpuid);
  ~Session();

  // What counts the tasks' ticks, before the first of them; null: the tasks themselves, in software.
  void count_with(std::shared_ptr<sched::TickSource> source) { source_ = std::move(source); }

  std::uint64_t skid_bound() const { return source_ ? source_->skid_bound() : 0; }

  // Applies the next event; false at the end of the log. An error of kind Desync is the first difference.
  Result<bool> step();

  enum class Progress { Applied, Paused, End };
  // The same, with somebody who may pause it on the way.
  Result<Progress> advance(RunControl& control);
  // The event that comes next, not applied yet; nullptr at the end of the log.
  Result<const Event*> upcoming();
  // Another session at the same position, also between two events. It repeats no output. fork.cc
  Result<std::unique_ptr<Session>> fork();

  const std::unordered_map<Tid, std::unique_ptr<Task>>& tasks() const { return tasks_; }
  Task* find(Tid tid);
  // The event applied last, or being applied; nullptr: none yet.
  const Event* last() const { return recent_.empty() ? nullptr : &recent_.back(); }
  const TraceDir& trace() const { return trace_; }
  Objects& objects() { return objects_; }
  // Ticks a task has made. counting.cc
  Result<Ticks> ticks(Task& task);
  // The task stops in the agent when it has made `stop` ticks in all; task.counted_from says what it was before.
  Result<void> count_down(Task& task, std::uint64_t stop);
  // The program's registers of a task that stopped in the agent.
  Result<agent::Asked> asked(Task& task);
  // The registers as the program would see them.
  Regs program_view(const Task& task) const;

  EventNo position() const { return now_; }
  bool ended() const { return end_seen_; }
  const std::string& end_reason() const { return end_reason_; }
  // Of the first process, as wait(2) gives it, from its exit event.
  std::optional<int> exit_status() const { return exit_status_; }
  bool torn() const { return log_.torn(); }

  // After a desync: registers of the task and the events around.
  Desync report(const Error& error);

 private:
  static constexpr std::size_t kRecentEvents = 12;

  // What running a task came to.
  struct Reached {
    tracee::Stop stop;
    agent::Question question = agent::Question::None;  // the stop is a call of the agent's
  };

  Result<void> apply(const Event& event);
  Result<Task*> task(Tid tid);
  Result<Reached> run(Task& task);
  Result<tracee::Stop> run_once(Task& task);
  // `expected`: at the call; or before it, where the task is, or where the program would say it is.
  enum class Before { No, Raw, InProgram };
  Result<void> reach_call(Task& task, const Regs& expected, Before before);

  // counting.cc
  class Driven;
  Result<void> start_counter(Task& task, Ticks first);
  Result<tracee::Stop> run_counted(Task& task, Nanoseconds limit);
  Result<void> arrive_at(Task& task, const TickEvent& event);
  Nanoseconds patience(const Task& task) const;
  std::unexpected<Error> overdue(const Task& task, Nanoseconds limit) const;
  Result<void> begin_counting(Task& task, RemoteAddr area, Ticks first);
  Result<void> check_ticks(Task& task, const Event& event);
  Result<void> apply_to(Task& task, const TickEvent& event);
  Result<void> apply_to(Task& task, const PatchEvent& event);
  struct StoredPlan {
    std::shared_ptr<const patch::Plan> plan;
    std::shared_ptr<const Objects::Blob> blob;
  };
  Result<StoredPlan> plan(const BlobId& id);

  // calls.cc
  Result<void> apply_to(Task& task, const SyscallEvent& event);
  Result<void> enter_call(Task& task, const SyscallEvent& event);
  Result<void> leave_call(Task& task, const SyscallEvent& event);
  Result<void> check_inputs(Task& task, const SyscallEvent& event);
  Result<void> write_extents(Task& task, const std::vector<Extent>& extents);
  void follow_stack_limit(Task& task, const syscalls::Call& call, std::int64_t ret);
  void repeat_output(Task& task, const SyscallEvent& event);
  void restart_call(Task& task);

  // batches.cc
  Result<bool> read_ahead();
  Result<bool> step_in_batch();
  bool may_batch(const Task& task, const Event& event) const;
  Result<void> open_ring(Task& task);
  Result<void> fill_ring(Task& task, std::size_t& calls);
  Result<void> leave_batch(Task& task, std::size_t calls, const Reached& reached);

  // events.cc
  Result<void> apply_to(Task& task, const SignalEvent& event);
  Result<void> apply_to(Task& task, const CloneEvent& event);
  Result<void> apply_to(Task& task, const InstructionEvent& event);
  Result<void> apply_to(Task& task, const CheckEvent& event);
  Result<void> apply_to(Task& task, const ExitEvent& event);
  Result<void> apply_exec(Tid tid, const ExecEvent& event);
  Result<void> apply_attach(Tid tid, const AttachEvent& event);
  Result<void> set_fork_advice(Task& task, const std::vector<AttachEvent::ForkAdvice>& advices);
  // starting.cc
  Result<void> apply_start(const StartEvent& event);
  void forget_everything();
  Result<void> begin_process(const StartEvent::Process& process);
  Result<void> begin_thread(Task& task, const StartEvent::Thread& thread);
  Result<void> begin_module(Task& task, const StartEvent::Module& module);
  Result<void> pass_start(const StartEvent& event);
  Result<Snapshot> snapshot(const std::string& name) const;
  Result<std::unique_ptr<Task>> first_task(Tid tid, Tid process, const Snapshot& snapshot, bool counted, Ticks ticks);

  Result<void> same_regs(const char* where, const Regs& actual, const Regs& expected);
  Result<void> show_everywhere(BackingId backing, int memfd);

  TraceDir trace_;
  LogReader log_;
  Objects objects_;
  bool echo_;
  bool trap_cpuid_;  // as at the recording
  std::shared_ptr<sched::TickSource> source_;
  RunControl* control_ = nullptr;  // while advance() runs
  std::deque<Event> ahead_;        // read, not applied
  bool begun_ = false;             // it is the last of recent_, and was paused
  std::unordered_map<Tid, std::unique_ptr<Task>> tasks_;
  Tid first_process_;
  EventNo now_;
  bool in_gap_ = false;  // up to the next StartEvent
  bool end_seen_ = false;
  std::string end_reason_;
  std::optional<int> exit_status_;
  std::deque<Event> recent_;  // the last events, for a report; the newest at the back
  std::unordered_map<std::string, StoredPlan> plans_;
  Fd ring_file_;                                     // of calls for the agent to repeat; batches.cc
  std::uint8_t* ring_ = nullptr;                     // mapped
  std::optional<Regs> actual_regs_, expected_regs_;  // of the difference found
};

}  // namespace tmrec::replayer
