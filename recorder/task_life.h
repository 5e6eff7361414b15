// The life of one recorded task, as a fiber: run to a stop, record what it was, go on.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "recorder/memory_check.h"
#include "recorder/session.h"
#include "syscalls/capture.h"
#include "syscalls/decide.h"
#include "syscalls/table.h"

namespace tmrec::recorder {

class TaskLife {
 public:
  TaskLife(Session& session, sched::LoopTask& task, std::shared_ptr<Process> process,
           std::shared_ptr<AddressSpace> space, Birthright inherited);

  // From the stop the task stands in; `at_exec`: the exit stop of the recording's first execve.
  void live(bool at_exec);

  // Signals kept back because the task computes.
  const std::deque<siginfo_t>& deferred() const { return deferred_; }
  // Where the call this task waits in may write at any time.
  const std::vector<AddressRange>& in_flux() const { return in_flux_; }
  const AddressSpace& space() const { return *space_; }
  // A signal has waited so long that the program would notice.
  bool is_overdue(std::chrono::steady_clock::time_point now) const;

 private:
  pid_t tid() const { return task_.tid(); }
  tracee::Stopped& stopped() { return task_.stopped(); }
  tracee::RemoteMemory& memory() { return space_->memory; }

  // task_life.cc
  int handle(const tracee::Stop& stop);
  void end_of_life();
  std::vector<Extent> memory_written_at_exit(int leader_tid);
  void check_memory();

  // calls.cc: one system call from its entry stop to its exit stop.
  struct OpenCall {
    syscalls::Call call;  // as the program made it; for restart_syscall, the call that goes on
    syscalls::EntryNotes notes;
    syscalls::Decision decision;
    SyscallEvent event;  // phase, regs and input extents
    bool enter_logged = false;
  };
  int on_syscall();  // returns the signal to resume with
  void require_64_bit_call(const Regs& entry);
  OpenCall open_call(const Regs& entry);
  void note_in_flux(const OpenCall& open);
  void finish_call(OpenCall& open);
  void log_enter(OpenCall& open);
  void refuse(OpenCall& open, int error);
  void skip_call(OpenCall& open, std::int64_t result);
  void read_extents(SyscallEvent& event, const std::vector<Extent>& wanted);
  void note_file_effects(OpenCall& open);
  bool sends_unseen_output(const syscalls::Call& call);
  bool maps_socket(const syscalls::Call& call);
  bool clones_untraced(const syscalls::Call& call);
  void hide_ignored_interruption(Regs& after);
  // proc_files.cc
  void show_untraced_status(const syscalls::Call& call, Regs& after);
  void note_written_memory(OpenCall& open);
  void note_stream(OpenCall& open);
  void note_mapping(OpenCall& open, const Regs& after);
  // True when the call was answered here (virtual_calls.cc).
  bool answer_virtually(OpenCall& open);

  // births.cc
  std::uint64_t record_birth(OpenCall& open);  // returns the CLONE_* flags
  void record_exec(OpenCall& open);
  void trap_cpuid();
  void enter_program(pid_t former);  // at the new program's first instruction

  // signals.cc: returns the signal to resume with.
  int on_signal(const tracee::Stop& stop);
  SignalEvent::Action action_of(int signal);
  int deliver(const siginfo_t& info, bool synchronous);
  bool perform_trapped_instruction(const siginfo_t& info, const Regs& regs);
  int deliver_deferred(const Regs& entry);

  Session& session_;
  sched::LoopTask& task_;
  std::shared_ptr<Process> process_;
  std::shared_ptr<AddressSpace> space_;
  std::uint64_t clear_child_tid_;
  // Registers at the last position at which a signal can be placed: unchanged since, the task has executed nothing.
  Regs boundary_;
  bool at_syscall_ = false;         // boundary_ stands in front of a call that was put off for a signal
  std::deque<siginfo_t> deferred_;  // signals that came in the middle of a computation
  std::chrono::steady_clock::time_point deferred_since_;  // of the first of them
  std::vector<AddressRange> in_flux_;
  std::optional<OpenCall> interrupted_;  // what restart_syscall goes on with
  std::optional<siginfo_t> injected_;    // deferred signal resumed with, not seen at its delivery yet
  std::optional<cpu_set_t> affinity_;    // what the program set, virtually
  int tsc_mode_;                         // PR_SET_TSC, as the program sees it
};

}  // namespace tmrec::recorder
