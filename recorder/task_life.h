// The life of one recorded task, as a fiber: run to a stop, record what it was, go on.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "format/snapshot.h"
#include "recorder/memory_check.h"
#include "recorder/session.h"
#include "sched/ticks.h"
#include "syscalls/capture.h"
#include "syscalls/decide.h"
#include "syscalls/table.h"
#include "tracee/remote_call.h"

namespace tmrec::recorder {

struct LeavingTask;

class TaskLife {
 public:
  TaskLife(Session& session, sched::LoopTask& task, std::shared_ptr<Process> process,
           std::shared_ptr<AddressSpace> space, Birthright inherited);

  // From the stop the task stands in; `at_exec`: the exit stop of the recording's first execve.
  void live(bool at_exec);

  // Ticks counted up to where the task stands; the last that were seen when it is gone.
  Ticks ticks();
  // To be asked regularly: stops a task that has had its turn, or for which a signal waits, where its counter can't.
  void interrupt_if_due();
  // A signal of its counter's, not the program's.
  bool is_interrupt(const siginfo_t& info) const { return counter_ && counter_->is_interrupt(info); }
  // How long the task has computed without a tick. To be asked regularly.
  std::chrono::nanoseconds without_tick(std::chrono::steady_clock::time_point now);
  pid_t id() const { return task_.tid(); }
  // Where it stands, for a starting point. starting.cc
  std::optional<StartEvent::Thread> standing();
  // Null: its memory is to be read as it stands.
  std::shared_ptr<SpaceCopy> copy_memory(const std::vector<AttachEvent::ForkAdvice>& not_copied);
  // Signals kept back because the task computes.
  const std::deque<siginfo_t>& deferred() const { return deferred_; }
  // Where the call this task waits in may write at any time.
  const std::vector<AddressRange>& in_flux() const { return in_flux_; }
  const AddressSpace& space() const { return *space_; }
  const Process& process() const { return *process_; }
  // What its agent has recorded.
  void note_agent_calls(const CallRing::Calls& calls, bool knows_fs_base);
  // Where it stood when its agent recorded last, and has been since, if it has given the baton away.
  std::optional<Ticks> recorded_at() const { return recorded_at_; }
  // Its agent asks at the next call, and at the end of one that it makes.
  void ask_soon();
  void give_up_agent(tracee::Stopped& task, std::vector<siginfo_t>& arrived) const;
  // A task that is joined in the middle of its life, before it runs: its program is patched; it stands with `regs` as
  // it stood in `stop`, and signals have arrived.
  void patch_module(RemoteAddr start, const MapSource& source, std::vector<tracee::MapsLine>& known_maps);
  void patch_joined(const std::vector<Mapping>& mappings) { patch_program(mappings); }
  void stand_joined(const Regs& regs, const tracee::Stop& stop, std::vector<siginfo_t> arrived);
  // What it is to have when the recording ends.
  void give_back_to(LeavingTask& leaving) const;
  // For a gap: it stops soon, and then holds still until all do. gaps.cc
  void come_to_rest();
  bool holds_still() const { return holds_still_; }
  // A signal has waited for so long a computation that the program would notice.
  bool is_overdue(std::chrono::steady_clock::time_point now) const;

 private:
  pid_t tid() const { return task_.tid(); }
  tracee::Stopped& stopped() { return task_.stopped(); }
  tracee::RemoteMemory& memory() { return space_->memory; }

  // task_life.cc
  int handle(const tracee::Stop& stop);
  void end_of_life();
  std::vector<Extent> memory_written_at_exit(int leader_tid);
  void wait_for_children();

  void check_memory();

  // counting.cc
  bool counts() const { return area_.value != 0; }
  void map_agent();
  bool prepare_counter(const tracee::RemoteMemory& memory, RemoteAddr area, Ticks first);
  void begin_counting(RemoteAddr area, Ticks ticks);
  void count_down(std::uint64_t least);
  void stop_soon();
  std::int64_t call_remotely(std::int64_t number, std::initializer_list<std::uint64_t> args);
  std::vector<std::int64_t> call_in_a_row(std::span<const tracee::WantedCall> calls);
  bool answer_agent(const Regs& at_call);  // leaves the signal to resume with in signal_
  void stand_at(const Regs& regs);
  bool is_at_boundary(const Regs& now);
  void log_tick(const Regs& regs);
  void leave_agent(const Regs& program);
  void on_tick(const Regs& at_call);
  void on_special_instruction(const Regs& at_call);

  // gaps.cc
  void open_gap(const tracee::Stop& stop);
  int hold_still(int signal);

  // hardware.cc
  class Driven;
  // It is stopped anywhere, by a counter's interrupt, when that is set; else at its own ticks, if any.
  bool stops_anywhere() const { return counter_ != nullptr; }
  void start_counter(Ticks first);
  tracee::Stop run_program(tracee::Resume how, int signal);
  void ask_for_interrupt();
  bool interrupt_waits();
  int on_interrupt();
  int settle();
  int give_turn(const Regs& here);

  // buffering.cc
  bool may_use_agent() const;
  void consider_agent();
  bool is_prepared() const;
  bool can_be_dispatched();
  bool map_ring(std::int64_t fd);
  bool make_own_ring();
  void disown_sigsys();
  tracee::Resume conduct();
  bool take_slot();
  void give_slot_back();
  void leave_wait(const tracee::Stop& stop);
  bool has_met_probe(const tracee::Stop& stop);
  std::optional<int> on_dispatch(const siginfo_t& info);
  void let_call(const Regs& before, const agent::Conduct& had);
  void on_return(const Regs& at_call);
  bool end_failed_copy(const siginfo_t& info, const Regs& now);
  void enter_again(const Regs& entry);
  void prepare_for_call(const syscalls::Call& call);
  void forget_descriptors_of(const syscalls::Call& call);
  agent::FdClass class_of(int fd);
  void teach_descriptor(const syscalls::Call& call, std::int64_t ret);

  // clock.cc
  void trap_tsc(bool on);
  void settle_tsc();
  bool tsc_leads_to_agent(RemoteAddr start, RemoteAddr end) const;
  void look_for_tsc(const std::vector<Mapping>& mappings);
  void look_for_tsc(std::uint64_t start, std::uint64_t size);
  void expect_tsc_anywhere();
  void copy_vdso();

  // records.cc
  void take_records();
  void note_special(Event& event);

  // patching.cc
  void patch_program(const std::vector<Mapping>& mappings);
  void patch_module(RemoteAddr start, const MapSource& source);
  struct Patching {
    const tracee::EncodedPlan& made;
    tracee::PatchedModule module;
    std::span<const std::uint8_t> untouched = {};                // the text, where memory is known to show it
    std::shared_ptr<const tracee::ModuleImage> image = nullptr;  // to be mapped in place of `covered`, if there is one
    std::vector<tracee::MapsLine> covered = {};
  };
  void apply_plan(const Patching& patching);
  // The trampolines' in a file that is open in the task, which is the image's or the stored plan's; or none.
  struct BlockFile {
    std::optional<std::uint64_t> fd = {};
    std::uint64_t offset = 0;
    bool is_image = false;
  };
  BlockFile open_block(const Patching& patching, const Session::StoredPlan& stored);
  std::optional<std::uint64_t> open_remotely(const std::filesystem::path& path, const Fd& verified);
  static tracee::WantedCall mapping_of_block(const tracee::PatchedModule& module, std::uint64_t flags, std::uint64_t fd,
                                             std::uint64_t offset);
  std::string write_edits(const Patching& patching, const BlockFile& from);
  bool map_image(const Patching& patching, std::uint64_t fd, std::uint64_t block_at);
  bool map_vsyscall_twin();
  void patch_range(std::uint64_t start, std::uint64_t end);
  void follow_mappings(const syscalls::Call& call, std::int64_t ret, const std::optional<MapSource>& mapping);
  void drop_unmapped(std::uint64_t start, std::uint64_t end);
  bool writes_to_code(const syscalls::Call& call) const;
  bool is_patched_in(std::uint64_t start, std::uint64_t end) const;
  void undo_patches_for(const syscalls::Call& call);
  void undo_patches(std::uint64_t start, std::uint64_t end);
  void leave_gs_to_program();

  // calls.cc: one system call from its entry stop to its exit stop.
  struct OpenCall {
    syscalls::Call call;  // as the program made it; for restart_syscall, the call that goes on
    syscalls::EntryNotes notes;
    syscalls::Decision decision;
    SyscallEvent event;  // phase, regs and input extents
    bool enter_logged = false;
  };
  bool make_call_here(const Regs& before);
  int on_syscall();  // returns the signal to resume with
  void require_64_bit_call(const Regs& entry);
  OpenCall open_call(const Regs& entry);
  void note_in_flux(const OpenCall& open);
  void finish_call(OpenCall& open);
  void complete_call(OpenCall& open, Regs after);
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
  void show_own_files(const syscalls::Call& call, Regs& after);
  // What a call has read of a file in /proc.
  struct ProcRead {
    std::string path;
    std::uint64_t offset, buffer, size;  // in the file; in memory; bytes
  };
  void show_untraced_status(const ProcRead& read, std::uint64_t room, Regs& after);
  void show_own_maps(const ProcRead& read);  // shown_maps.cc
  void note_written_memory(OpenCall& open);
  void note_stream(OpenCall& open);
  void note_mapping(OpenCall& open, const Regs& after);
  // True when the call was answered here (virtual_calls.cc).
  bool answer_virtually(OpenCall& open);
  void keep_rseq(OpenCall& open);

  // births.cc
  std::uint64_t record_birth(OpenCall& open);  // returns the CLONE_* flags
  RemoteAddr prepare_counting(tracee::Stopped& child, std::uint64_t clone_flags, Ticks first);
  void record_exec(OpenCall& open);
  void trap_cpuid();
  void hide_area(tracee::Stopped& child);
  void begin_patching(Snapshot& snapshot);
  void enter_program(pid_t former);  // at the new program's first instruction

  // signals.cc: returns the signal to resume with.
  int on_signal(const tracee::Stop& stop);
  SignalEvent::Action action_of(int signal);
  int deliver(siginfo_t info, bool synchronous);
  void show_program_address(siginfo_t& info, bool synchronous);
  bool perform_trapped_instruction(const siginfo_t& info, const Regs& regs);
  void defer(const siginfo_t& info);
  void wait_from_now();
  void note_kept();
  int deliver_deferred(const Regs& entry);
  int take_deferred(const Regs& regs);

  Session& session_;
  sched::LoopTask& task_;
  std::shared_ptr<Process> process_;
  std::shared_ptr<AddressSpace> space_;
  std::uint64_t clear_child_tid_;
  // The last position at which a signal can be placed.
  struct Boundary {
    Regs regs;
    Ticks ticks;
    bool unlogged_tick = false;  // a tick that nothing happened at so far
  };
  Boundary boundary_;
  bool at_event_ = false;           // the task stands where its last event left it
  bool at_syscall_ = false;         // boundary_ stands in front of a call that was put off for a signal
  std::deque<siginfo_t> deferred_;  // signals that came in the middle of a computation
  // Of the first of them: when, and what CPU time the task had used.
  std::chrono::steady_clock::time_point deferred_since_;
  std::chrono::nanoseconds used_before_{};
  std::vector<AddressRange> in_flux_;
  // A call whose entry has been recorded; kept for starting points alone.
  struct Entered {
    Regs regs;
    Bytes xstate;
  };
  std::optional<Entered> entered_;
  Bytes entry_xstate_;                   // of the call that it is about to make
  std::optional<OpenCall> interrupted_;  // what restart_syscall goes on with
  std::optional<siginfo_t> injected_;    // deferred signal resumed with, not seen at its delivery yet
  std::optional<cpu_set_t> affinity_;    // what the program set, virtually
  int tsc_mode_;                         // PR_SET_TSC, as the program sees it
  bool tsc_traps_;
  RemoteAddr area_;                 // the agent's, of this task; 0: ticks are not counted
  std::uint64_t counted_from_ = 0;  // ticks made plus ticks left
  Ticks last_ticks_;
  std::optional<std::uint64_t> counted_at_;      // LoopTask::resumed(), when that was read
  std::unique_ptr<sched::TickCounter> counter_;  // null: in software, in area_
  bool interrupt_set_ = false;                   // for when there are interrupt_at_ ticks
  bool interrupted_by_us_ = false;               // not seen yet
  bool holds_still_ = false;                     // for a gap to be bridged
  std::uint64_t interrupt_at_ = 0, slice_end_ = 0;
  std::uint64_t settle_steps_ = 0;
  // The count when it was looked at and had changed, or the task did not compute; and when that was.
  std::uint64_t seen_count_ = 0;
  std::chrono::steady_clock::time_point seen_at_;
  int signal_ = 0;
  bool joined_ = false;
  std::optional<tracee::Stop> first_stop_;  // not handled yet: job control had stopped it when it was joined
  // The agent: set up for this task, by Syscall User Dispatch; performing its calls now, as its memory says; not for
  // the call that it stands in front of.
  bool dispatched_ = false, conducts_ = false, traced_once_ = false;
  bool stands_behind_script_ = false;    // stopped by the SIGSYS that ends it
  bool at_dispatch_ = false;             // the task is stopped by SIGSYS instead of at a call
  bool exhausted_ = false;               // it has made so many calls that others have a turn
  unsigned traced_calls_ = 0;            // with a stop, since the agent was last given up
  Regs last_seen_;                       // when it was left to the agent: for what that does not record
  std::shared_ptr<CallRing> slot_ring_;  // where it has slot_
  std::optional<std::uint32_t> slot_;
  bool probes_ = false;                      // the next time it is left to the agent
  std::optional<std::uint32_t> calls_left_;  // before others have a turn, of a task that goes on in the agent
  bool goes_on_in_agent_ = false;            // it has asked for no more than the baton
  std::optional<OpenCall> begun_;            // the call that it waits in without the baton
  bool begins_wait_ = false;                 // in that call, as soon as others have the baton
  std::optional<Ticks> recorded_at_;
};

}  // namespace tmrec::recorder
