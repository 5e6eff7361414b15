// What one recording consists of: its log, blobs and manifest, the loop, and the processes followed so far.
#pragma once

#include <sched.h>
#include <array>
#include <chrono>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "format/blob_store.h"
#include "format/log.h"
#include "format/manifest.h"
#include "format/snapshot.h"
#include "format/trace_dir.h"
#include "recorder/agent_probe.h"
#include "recorder/backings.h"
#include "recorder/call_ring.h"
#include "recorder/early_binding.h"
#include "recorder/exchange.h"
#include "recorder/foresight.h"
#include "recorder/ledger.h"
#include "recorder/memory_check.h"
#include "recorder/recorder.h"
#include "recorder/ring.h"
#include "recorder/space_copy.h"
#include "sched/loop.h"
#include "sched/tick_sources.h"
#include "tracee/agent/agent.h"
#include "tracee/patched_space.h"
#include "tracee/plan_cache.h"
#include "tracee/remote_memory.h"

namespace tmrec::recorder {

// Which of the agent's areas in an address space belong to tasks.
class TaskAreas {
 public:
  RemoteAddr take();  // 0: all are taken
  void give_back(RemoteAddr area);
  // In the copy that a fork makes.
  void keep_only(RemoteAddr area);

 private:
  std::vector<bool> used_;
};

// One address space, shared by threads and by what vfork makes.
struct AddressSpace {
  tracee::RemoteMemory memory;
  std::optional<RemoteAddr> call_gadget = {};            // in the patched vdso
  RemoteAddr vdso = {};                                  // where that is
  bool vdso_led = false;                                 // its functions lead to the agent
  std::optional<HiddenVariable> hidden_variable = {};    // to be taken back
  std::unordered_set<std::uint64_t> syscall_sites = {};  // rip behind `syscall` instructions seen to be that
  // Copied by fork while calls of the parent's other threads were writing there: the copy may be of either state.
  std::vector<AddressRange> copied_in_flux = {};
  int tasks = 0;     // alive in it
  int dumpable = 1;  // PR_SET_DUMPABLE, as the program sees it
  tracee::PatchedSpace patches = {};
  TaskAreas areas = {};
  bool patches_off = false;             // the program uses %gs itself
  bool tsc_leads_to_agent = false;      // wherever it may be executed: it need not trap (clock.cc)
  std::shared_ptr<CallRing> ring = {};  // of the agent, once a task uses it; forked spaces share it
  bool no_agent = false;                // every call stops
};

struct Process {
  pid_t leader = 0;
  int tasks = 0;  // alive
  // The kernel's struct sigaction of SIGSYS as the program set it, while the agent's stands in its place.
  std::optional<std::array<std::uint64_t, 4>> program_sigsys = {};
  bool no_agent = false;        // every call stops
  bool borrows_memory = false;  // of another process with other descriptors (vfork), until it executes a program
};

// A signal every 100 ms that interrupts waitpid, so that the loop looks at starvation and at the log's health.
void start_heartbeat();

// What a task has from its birth.
struct Birthright {
  std::uint64_t clear_child_tid = 0;  // CLONE_CHILD_CLEARTID
  std::optional<cpu_set_t> affinity;  // what the program set, virtually
  int tsc_mode = 1;                   // PR_TSC_ENABLE, as the program sees it
  bool tsc_traps = false;
  bool at_exec = false;  // the recording's first task
  RemoteAddr area{};     // the agent's, of the task; 0: it does not count ticks
  Ticks first_ticks{};   // what its count begins with
};

class TaskLife;
struct SeizedTask;

// The recording is to end soon; its ring is to be saved soon (signal handlers may say so).
void ask_to_end();
void ask_to_save();

class Session {
 public:
  using Clock = std::chrono::steady_clock;

  Session(const Options& options, sched::ChosenSource ticks, TraceDir trace, std::unique_ptr<LogWriter> log,
          BlobStore blobs, Manifest manifest);

  // Records the program whose first process `pid` stands at the exit stop of its execve, until the last task of the
  // recording has ended. Returns why it ended before that, or an empty string.
  std::string run(pid_t pid, tracee::Stopped first);

  // Records a running program, all of whose tasks are stopped, until it has ended or the recording is to; then lets go
  // of it. join.cc
  std::string run_joined(std::vector<SeizedTask>& tasks, Clock::time_point stopped_at);
  // Before it is stopped: what can be prepared. patching.cc
  void prepare_modules(pid_t pid);
  // Snapshots that are still being written; returns what went wrong.
  std::string await_snapshots();
  // Set when the program was joined: what its tasks have had before.
  const std::shared_ptr<Ledger>& ledger() const { return ledger_; }
  // The recording ended because somebody wanted it to.
  bool ended_as_asked() const { return ended_as_asked_; }

  // For a flight recorder tasks remember what a starting point needs to know. starting.cc
  bool keeps_ring() const { return ring_ != nullptr; }
  // A starting point is wanted, at the next event of any task.
  bool start_due() const { return start_due_; }
  // `by` stands where its last event has left it. Where it can't be done now it is left for later.
  void take_start(pid_t by);
  void end_ring();

  // Gaps; gaps.cc. All tasks are to hold still, each where its last event has left it, until a starting point has been
  // taken.
  bool has_gap() const { return gap_.has_value(); }
  // Whose it is; 0: there is none.
  pid_t gap_of() const { return gap_ ? gap_->by : 0; }
  // It is about to be, and its task has not been stopped yet.
  bool wants_gap_of(pid_t tid) const { return gap_ && gap_->by == tid && gap_->event.value == 0; }
  void open_gap();
  void cancel_gap();
  // True: it is over. `by` stands where its last event has left it.
  bool bridge_gap(pid_t by);

  void applied(const std::shared_ptr<const patch::Plan>& plan, const BlobId& id) { plan_ids_[plan.get()] = id; }
  // Outcome::keep. At the end.
  std::string why_keep(const std::string& ended_early);

  EventNo append(pid_t task, EventBody body);
  EventNo append(pid_t task, EventBody body, Ticks ticks);
  void append(CallBatch calls);  // with the time of now

  // Plans for patching: of the file that is mapped, with its trampolines in a certain place.
  Result<std::shared_ptr<const tracee::EncodedPlan>> plan(const MapSource& source, patch::Reach reach);
  // The module as that patches it, to be mapped in place of its text; null: none, or not yet.
  std::shared_ptr<const tracee::ModuleImage> image(const MapSource& source,
                                                   const std::shared_ptr<const tracee::EncodedPlan>& plan);
  // A plan that the trace has. Its file is null where it could not be verified.
  struct StoredPlan {
    BlobId id;
    std::shared_ptr<const Fd> file;
  };
  Result<StoredPlan> store_plan(const tracee::EncodedPlan& plan);
  // Begins making the plans that a program will need, as far as can be told at its first instruction.
  void foresee_modules(pid_t pid, const std::vector<Mapping>& mappings);
  bool uses_gs(const std::vector<Mapping>& mappings);
  // The user wants this module unpatched.
  bool is_left_alone(const std::string& path) const;
  // What agents know of descriptors is out of date: of this program, or of all.
  void forget_descriptors();
  // Null: memory is to be read as it stands. Throws TaskDied.
  std::shared_ptr<SpaceCopy> copy_space(tracee::Stopped& task, pid_t process, const AddressSpace& space,
                                        const std::vector<AttachEvent::ForkAdvice>& not_copied,
                                        std::vector<siginfo_t>* arrived);
  // Children that the process is to wait for, as it knows them (space_copy.h); once.
  std::vector<pid_t> children_to_wait_for(pid_t process);
  void add_ring(const std::shared_ptr<CallRing>& ring) { rings_.push_back(ring); }
  // The ring that all programs of the recording share, which can open it: tasks of them hand over to one another.
  const std::shared_ptr<CallRing>& ring_of_all();
  // Under which the task can open that; empty: it can't, or the ring has no slots left for another program.
  std::string path_of_ring(pid_t tid);
  // Whether the kernel, and the seccomp filters that tmrec is under, allow Syscall User Dispatch.
  bool has_dispatch() const { return has_dispatch_; }
  // Ticks until a task is stopped next.
  std::uint64_t slice() { return loop_.policy().ticks(options_.slice); }

  // Counts something for `tmrec info`.
  void refused(const std::string& what) { tally(manifest_.refused, what); }
  void note(const std::string& what, std::uint64_t n = 1) { tally(manifest_.notes, what, n); }

  // Adds a task and starts its life at the stop it stands in.
  void adopt(pid_t tid, tracee::Stopped stopped, std::shared_ptr<Process> process, std::shared_ptr<AddressSpace> space,
             Birthright inherited);
  // A task has another address space from now on (exec).
  void entered_space(pid_t former, pid_t tid, const std::shared_ptr<AddressSpace>& space);
  void task_ended(pid_t tid);
  // Their agents ask the supervisor before they go on.
  void ask_tasks_of(const AddressSpace& space);
  std::shared_ptr<AddressSpace> space_of(pid_t tid) const;  // null: it is not recorded

  const Options& options() const { return options_; }
  // Null: ticks are counted in software, or not at all.
  sched::TickSource* tick_source() const { return ticks_.source.get(); }
  const TraceDir& trace() const { return trace_; }
  sched::Loop& loop() { return loop_; }
  LogWriter& log() { return *log_; }
  Backings& backings() { return backings_; }
  BlobStore& blobs() { return blobs_; }
  Manifest& manifest() { return manifest_; }

  // Of the first process, as wait(2) gives it; nullopt while it lives.
  std::optional<int> exit_status() const { return exit_status_; }

  // Some file was opened with O_DIRECT: such reads may change more of their buffer than they return.
  bool reads_directly = false;

  Exchange& exchange() { return exchange_; }
  std::optional<AgentProbe>& probe() { return probe_; }
  TaskLife* life_of(pid_t tid) const;  // null: none
  // The agent of one task has given the baton to another.
  void note_hand_over(pid_t from, pid_t to);

  // The CPUs the recording was allowed to use before tmrec pinned it to one; what the program is told.
  cpu_set_t affinity{};
  std::size_t affinity_bytes = 8;  // of the kernel's CPU masks
  // Whether a memory check is due; the caller makes it.
  bool check_due() const;
  // Memory of the space that calls of its tasks may be writing to while they wait.
  std::vector<AddressRange> in_flux(const AddressSpace& space) const;
  void checked(std::chrono::steady_clock::duration cost);

  // Standard output and error of the recording, to recognise them among the program's files.
  Stream stream_of(pid_t tid, int fd) const;

 private:
  static std::uint64_t microseconds_since(Clock::time_point begin);
  std::string run_to_end(pid_t pid, const std::function<void()>& begin);
  void join_process(const std::vector<SeizedTask*>& tasks);
  TaskLife& adopt_joined(pid_t tid, tracee::Stopped stopped, std::shared_ptr<Process> process,
                         std::shared_ptr<AddressSpace> space, const Birthright& rights);
  void leave_half_joined(const std::vector<SeizedTask*>& tasks);
  void write_later(Snapshot snapshot, std::shared_ptr<SpaceCopy> copy, const std::filesystem::path& path);
  bool copies_are_over() const;
  void leave(std::vector<sched::Loop::Leaving>& leaving, bool all);
  void check_limits();
  void check_memory_use();
  void tend_ring(bool heartbeat);
  void note_crash(pid_t pid, const ExitEvent& event);
  struct StartMemory {
    Snapshot snapshot;
    std::shared_ptr<SpaceCopy> copy;  // which is to fill it in; or null
  };
  bool gather_start(pid_t by, StartEvent& start, std::vector<StartMemory>& snapshots);
  pid_t busy() const;
  void check_gap();
  bool begin_gap(pid_t by, const std::string& why);
  void write_start(EventNo number, std::vector<StartMemory> snapshots);
  std::uint64_t now_ns() const;  // since the start of the recording
  bool release(tracee::Stopped& task, const tracee::Stop& stop);
  std::optional<RemoteAddr> call_gadget_in(const tracee::RemoteMemory& memory) const;
  void tick();

  patch::PlanOptions plan_options(patch::Reach reach) const;

  Options options_;
  sched::ChosenSource ticks_;
  TraceDir trace_;
  std::unique_ptr<Ring> ring_;  // the log's thread calls it
  std::unique_ptr<LogWriter> log_;
  BlobStore blobs_;
  Manifest manifest_;
  Backings backings_;
  tracee::PlanCache plans_;
  Foresight foresight_;
  std::unordered_map<std::string, StoredPlan> stored_plans_;
  std::vector<std::weak_ptr<CallRing>> rings_;
  std::shared_ptr<CallRing> ring_of_all_;
  bool tried_ring_of_all_ = false;
  const bool has_dispatch_;
  Exchange exchange_{*this};
  std::optional<AgentProbe> probe_;
  sched::Loop loop_;
  std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point begun_ = started_;  // when the program went on
  std::uint64_t last_check_ = 0;                            // the event it followed
  std::chrono::steady_clock::time_point checked_;           // when it was done
  std::chrono::steady_clock::duration check_cost_{};        // how long it took
  pid_t first_pid_ = 0;
  std::optional<int> exit_status_;
  std::unordered_map<pid_t, std::weak_ptr<AddressSpace>> spaces_;  // by task, to release it
  std::unordered_map<pid_t, std::shared_ptr<TaskLife>> lives_;     // outlive a fiber that ends the recording
  struct OwnStream {
    bool known = false;
    std::uint64_t device = 0, inode = 0;
  };
  OwnStream own_stdout_, own_stderr_;
  std::shared_ptr<Ledger> ledger_;
  std::vector<std::future<Result<void>>> snapshots_;
  struct Child {
    pid_t process, pid;
    std::weak_ptr<SpaceCopy> copy;
    bool is_over() const {
      const auto of = copy.lock();
      return !of || of->is_over();
    }
  };
  std::unordered_map<pid_t, std::vector<AttachEvent::ForkAdvice>> advice_before_;  // before processes were stopped
  std::vector<Child> children_;                                                    // that copies are or were
  std::unordered_map<pid_t, std::chrono::nanoseconds> ran_before_;  // last_ran(), before tasks are stopped to let go
  bool ended_as_asked_ = false;
  struct Gap {
    pid_t by;
    std::string why;
    Clock::time_point since;  // when its task was to stop
    EventNo event;            // 0: it has not yet
  };
  std::optional<Gap> gap_;
  unsigned gaps_ = 0;  // that are over
  bool start_due_ = false;
  std::mutex start_failure_mutex_;
  std::string start_failure_;  // what went wrong with writing
  int beats_to_save_ = 0;
  std::uint64_t last_start_looked_ = 0;  // event
  std::chrono::nanoseconds ring_covered_{};
  std::unordered_map<const patch::Plan*, BlobId> plan_ids_;  // of what was applied
  std::future<void> start_writing_;
  std::string save_reason_;  // not empty: the ring is to be saved
  std::string crash_;        // which process died of a fault or the like, and of what; a ring has not been saved for it
};

}  // namespace tmrec::recorder
