// Joining a program in the middle of its life.
//
// The problem: a running program is to become what a launched one is at its first instruction: one thread at a time,
// its clocks and special instructions recorded, its code patched, and the state of everything known. Nothing of this
// may be visible to it, and the supervisor may be killed at any instruction. The solution: all its tasks are stopped
// where they are. One after the other, in an order in which each step is complete in itself:
//   - tasks are taken out of the vdso, then its functions become system calls, then rdtsc is trapped;
//   - each task's settings are written to the ledger, then changed;
//   - the agent's region is mapped and every task has an area of its own, then code is patched.
// The snapshot is taken before the patches, so the text in it is the files' own, and they are events as ever. A thread
// that waits in a system call keeps the registers that an interrupted one has, and the kernel makes the call again,
// with what is left of its time-out.
//
// Rejected: bringing every thread to a system call first, which a thread that computes or waits does not come to.
#include <asm/prctl.h>
#include <fcntl.h>
#include <linux/rseq.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include <fmt/format.h>

#include "format/core_file.h"
#include "recorder/exec_snapshot.h"
#include "recorder/give_back.h"
#include "recorder/seize.h"
#include "recorder/session.h"
#include "recorder/task_life.h"
#include "tracee/affinity.h"
#include "tracee/agent/agent.h"
#include "tracee/call_room.h"
#include "tracee/interrupted.h"
#include "tracee/memory_hash.h"
#include "tracee/patch/block.h"
#include "tracee/proc.h"
#include "tracee/remote_call.h"
#include "tracee/vdso.h"

namespace tmrec::recorder {

using tracee::Stop;

namespace {

constexpr std::uint64_t kNoCall = ~std::uint64_t{0};

// PTRACE_GET_RSEQ_CONFIGURATION (Linux 5.13), struct ptrace_rseq_configuration.
struct RseqConfiguration {
  std::uint64_t pointer = 0;
  std::uint32_t size = 0, signature = 0, flags = 0, pad = 0;
};

struct KernelRseqSection {
  std::uint32_t version, flags;
  std::uint64_t start, length, abort;
};

// A task of a process that is joined.
struct Joining {
  SeizedTask* seized = nullptr;
  Regs regs;  // the program's; with the task's area from when it has one
  std::vector<siginfo_t> arrived;
  std::uint64_t clear_child_tid = 0;
  OwnSettings own;
  RemoteAddr area;
  Ticks first_ticks;

  pid_t tid() const { return seized->tid; }
  tracee::Stopped& task() const { return *seized->stopped; }
};

class Joiner {
 public:
  Joiner(Session& session, const std::shared_ptr<Process>& process, const std::shared_ptr<AddressSpace>& space)
      : session_(session), process_(process), space_(space) {}

  std::vector<Joining> threads;

  void prepare() {
    look();
    leave_vdso();
    const auto vdso = find("[vdso]");
    if (!vdso) throw sched::EndRecording{"the program has no vdso, which tmrec needs to attach"};
    const std::uint64_t size = vdso->end - vdso->start;
    space_->vdso = vdso->start;
    space_->call_gadget = tracee::make_call_room(space_->memory, vdso->start, size);
    if (!space_->call_gadget || !tracee::redirect_vdso(space_->memory, vdso->start, size)) {
      throw sched::EndRecording{"the program's vdso is of an unknown form"};
    }
    settle_rseq_sections();
    for (Joining& thread : threads) {
      if (!session_.ledger()->add(thread.own)) throw sched::EndRecording{"too many threads"};
    }
    for (Joining& thread : threads) change_settings(thread);
  }

  // Ticks are counted from now on, unless the program uses %gs.
  void begin_counting(bool uses_gs) {
    const bool own_gs = std::ranges::any_of(threads, [](const Joining& t) { return t.regs.gs_base != 0; });
    // Left by a recording whose tmrec was killed: tasks may be there.
    const bool taken =
        std::ranges::any_of(maps_, [](const auto& map) { return agent::overlaps(map.start.value, map.end.value); });
    if (!session_.options().count_ticks) return;
    if (taken) return session_.note("the memory of an earlier recording is there: ticks are not counted");
    if (own_gs || uses_gs) return session_.note("the program uses %gs: ticks are not counted");
    if (threads.size() > agent::kMaxTasks) return session_.note("too many threads: ticks are not counted");
    constexpr std::uint64_t kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
    const std::int64_t at =
        call(threads.front(), SYS_mmap, {agent::kBase, agent::kSize, PROT_READ | PROT_WRITE, kFlags, kNoCall, 0});
    if (at != static_cast<std::int64_t>(agent::kBase))
      return session_.note("no room for the agent: ticks are not counted");
    if (!agent::install(space_->memory)) return;
    call(threads.front(), SYS_mprotect, {agent::kBase, agent::kExecutable, PROT_READ | PROT_EXEC});
    for (Joining& thread : threads) {
      thread.area = space_->areas.take();
      thread.first_ticks = Ticks(session_.loop().policy().first_ticks());
      const std::uint64_t stop = agent::next_stop(thread.first_ticks.value + session_.slice());
      agent::prepare_area(space_->memory, thread.area, stop - thread.first_ticks.value);
      thread.regs.gs_base = thread.area.value;
      Regs alone = tracee::restarted(thread.regs);
      thread.task().set_regs(alone);
    }
    counted_ = true;
  }

  bool counted() const { return counted_; }

 private:
  // What is to be known before anything is changed.
  void look() {
    auto maps = tracee::read_maps(threads.front().tid());
    if (maps) maps_ = std::move(*maps);
    for (Joining& thread : threads) {
      thread.regs = thread.task().regs();
      OwnSettings& own = thread.own;
      own.tid = thread.tid();
      own.process = process_->leader;
      own.gs_base = thread.regs.gs_base;
      own.affinity = session_.affinity;
      sched_getaffinity(thread.tid(), sizeof own.affinity, &own.affinity);
      RseqConfiguration rseq;
      if (ptrace(static_cast<__ptrace_request>(0x420f), thread.tid(), sizeof rseq, &rseq) == sizeof rseq &&
          rseq.pointer != 0) {
        own.rseq = rseq.pointer;
        own.rseq_size = rseq.size;
        own.rseq_signature = rseq.signature;
      }
    }
  }

  const tracee::MapsLine* find(const char* name) const {
    const auto found = std::ranges::find(maps_, name, &tracee::MapsLine::name);
    return found == maps_.end() ? nullptr : &*found;
  }

  // Steps tasks that are reading the clock out of the code that is about to change.
  void leave_vdso() {
    const auto* vdso = find("[vdso]");
    if (vdso == nullptr) return;
    constexpr int kMost = 20000;
    for (Joining& thread : threads) {
      auto inside = [&] { return thread.regs.rip >= vdso->start.value && thread.regs.rip < vdso->end.value; };
      for (int steps = 0; inside() && steps < kMost; ++steps) {
        tracee::Running running = std::move(thread.task()).resume(tracee::Resume::Step);
        const Stop stop = tracee::await_stop(running.tid());
        if (stop.kind == Stop::Kind::Exited) throw tracee::TaskDied{thread.tid()};
        *thread.seized->stopped = std::move(running).stopped();
        if (stop.kind == Stop::Kind::Exiting) throw tracee::TaskDied{thread.tid()};
        if (stop.kind == Stop::Kind::Signal && stop.signal != SIGTRAP)
          thread.arrived.push_back(thread.task().siginfo());
        thread.regs = thread.task().regs();
      }
      if (inside()) throw sched::EndRecording{"a thread does not leave the vdso"};
    }
  }

  // A preempted task does not finish what it does for one CPU (rseq(2)): the kernel would have sent it to its abort
  // handler on its way back.
  void settle_rseq_sections() {
    constexpr std::uint64_t kSectionAt = 8;  // struct rseq, rseq_cs
    for (Joining& thread : threads) {
      if (thread.own.rseq == 0) continue;
      const auto section_at = space_->memory.get<std::uint64_t>(RemoteAddr(thread.own.rseq + kSectionAt));
      if (!section_at || *section_at == 0) continue;
      const auto section = space_->memory.get<KernelRseqSection>(RemoteAddr(*section_at));
      if (!section || thread.regs.rip - section->start >= section->length) continue;
      thread.regs.rip = section->abort;
      const std::uint64_t none = 0;
      space_->memory.write(thread.own.rseq + kSectionAt, &none, sizeof none);
      thread.task().set_regs(thread.regs);
    }
  }

  std::int64_t call(Joining& thread, std::int64_t number, std::initializer_list<std::uint64_t> args) {
    thread.task().set_regs(tracee::restarted(thread.regs));
    const std::int64_t result =
        tracee::recorded_call(thread.task(), space_->memory, *space_->call_gadget, number, args, &thread.arrived);
    thread.task().set_regs(tracee::restarted(thread.regs));
    return result;
  }

  void change_settings(Joining& thread) {
    const OwnSettings& own = thread.own;
    tracee::pin_to_cpu(thread.tid(), session_.manifest().cpu_number);
    if (own.rseq != 0) call(thread, SYS_rseq, {own.rseq, own.rseq_size, RSEQ_FLAG_UNREGISTER, own.rseq_signature});
    call(thread, SYS_prctl, {PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0});
    if (session_.manifest().cpuid_trapped) call(thread, SYS_arch_prctl, {ARCH_SET_CPUID, 0});
    // Below the stack's red zone.
    const std::uint64_t word = (thread.regs.rsp - 512) & ~std::uint64_t{7};
    const auto before = space_->memory.get<std::uint64_t>(RemoteAddr(word));
    if (!before) return;
    if (call(thread, SYS_prctl, {PR_GET_TID_ADDRESS, word, 0, 0, 0}) == 0) {
      thread.clear_child_tid = space_->memory.get<std::uint64_t>(RemoteAddr(word)).value_or(0);
    } else {
      session_.note("no PR_GET_TID_ADDRESS: what threads leave behind when they end is not recorded");
    }
    space_->memory.write(word, &*before, sizeof *before);
  }

  Session& session_;
  std::shared_ptr<Process> process_;
  std::shared_ptr<AddressSpace> space_;
  std::vector<tracee::MapsLine> maps_;
  bool counted_ = false;
};

}  // namespace

std::vector<AttachEvent::ForkAdvice> fork_advice(pid_t tid) {
  std::vector<AttachEvent::ForkAdvice> found;
  const auto text = tracee::read_file(fmt::format("/proc/{}/smaps", tid));
  if (!text) return found;
  std::uint64_t start = 0, end = 0;
  for (std::size_t at = 0; at < text->size();) {
    std::size_t stop = text->find('\n', at);
    if (stop == std::string::npos) stop = text->size();
    const std::string line = text->substr(at, stop - at);
    at = stop + 1;
    unsigned long from = 0, to = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx ", &from, &to) == 2) {
      start = from;
      end = to;
    } else if (line.starts_with("VmFlags:")) {
      constexpr std::int32_t kWipeOnFork = 18;
      if (line.find(" dc") != std::string::npos) found.push_back({RemoteAddr(start), end - start, MADV_DONTFORK});
      if (line.find(" wf") != std::string::npos) found.push_back({RemoteAddr(start), end - start, kWipeOnFork});
    }
  }
  return found;
}

// The writing thread leaves signals and the program's CPU alone.
void Session::write_later(Snapshot snapshot, std::shared_ptr<SpaceCopy> copy, const std::filesystem::path& path) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  snapshots_.push_back(std::async(
      std::launch::async, [written = std::move(snapshot), from = std::move(copy), path, cpus = affinity]() mutable {
        sched_setaffinity(0, sizeof cpus, &cpus);
        try {
          const std::string failed = from ? from->fill(written) : std::string();
          return failed.empty() ? write_core(written, path) : fail(ErrorKind::System, failed);
        } catch (const std::exception& broken) {
          return Result<void>(fail(ErrorKind::System, fmt::format("cannot write a snapshot: {}", broken.what())));
        }
      }));
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

std::shared_ptr<SpaceCopy> Session::copy_space(tracee::Stopped& task, pid_t process, const AddressSpace& space,
                                               const std::vector<AttachEvent::ForkAdvice>& not_copied,
                                               std::vector<siginfo_t>* arrived) {
  const auto maps = tracee::read_maps(task.tid());
  const auto vdso = maps ? std::ranges::find(*maps, "[vdso]", &tracee::MapsLine::name) : decltype(maps->begin()){};
  if (!space.call_gadget || !maps || vdso == maps->end() || !is_worth_a_copy(task.tid())) return nullptr;
  if (ledger_) ledger_->add_child(process, Ledger::kUnknown);
  const auto made = SpaceCopy::make(task, space.memory, vdso->start, vdso->end - vdso->start, *space.call_gadget,
                                    not_copied, space.patches.modules(), arrived);
  if (made.child != 0) {
    children_.push_back({process, made.child, made.copy});
    if (ledger_) ledger_->add_child(process, made.child);
  }
  if (ledger_) ledger_->remove_child(process, Ledger::kUnknown);
  note(made.copy ? "memory copied by fork"
                 : "memory copied while the program stood still, since fork failed: " + made.why);
  return made.copy;
}

bool Session::copies_are_over() const {
  return std::ranges::all_of(children_, [](const Child& child) { return child.is_over(); });
}

std::vector<pid_t> Session::children_to_wait_for(pid_t process) {
  std::vector<pid_t> found;
  std::erase_if(children_, [&](const Child& child) {
    if (child.process != process || !child.is_over()) return false;
    found.push_back(child.pid);
    if (ledger_) ledger_->remove_child(process, child.pid);
    return true;
  });
  return found;
}

std::string Session::await_snapshots() {
  std::string failure;
  for (auto& snapshot : snapshots_) {
    const auto written = snapshot.get();
    if (!written && failure.empty()) failure = written.error().text;
  }
  snapshots_.clear();
  return failure;
}

void Session::join_process(const std::vector<SeizedTask*>& seized) {
  const pid_t first = seized.front()->tid;
  auto memory = tracee::RemoteMemory::open(first);
  if (!memory) throw sched::EndRecording{memory.error().text};
  auto space = std::make_shared<AddressSpace>(AddressSpace{.memory = std::move(*memory)});
  auto process = std::make_shared<Process>(Process{seized.front()->process, 0});
  Joiner joiner(*this, process, space);
  for (SeizedTask* task : seized) {
    Joining thread;
    thread.seized = task;
    joiner.threads.push_back(std::move(thread));
  }
  joiner.prepare();

  Joining& leader = joiner.threads.front();
  AttachEvent event;
  const auto before = advice_before_.find(process->leader);
  event.fork_advice = before != advice_before_.end() ? before->second : fork_advice(first);
  leader.task().set_regs(tracee::restarted(leader.regs));
  const auto copy = copy_space(leader.task(), process->leader, *space, event.fork_advice, &leader.arrived);
  if (copy)
    event.fork_advice = copy->not_copied();
  else if (before != advice_before_.end())
    event.fork_advice = fork_advice(first);
  auto snapshot = take_snapshot(first, leader.task(), *space, *this, SnapshotOf::Life, copy.get());
  if (!snapshot) throw sched::EndRecording{snapshot.error().text};
  snapshot->process = Tid(process->leader);
  joiner.begin_counting(uses_gs(snapshot->mappings));

  event.process = Tid(process->leader);
  event.program = snapshot->executable;
  event.arguments = snapshot->arguments;
  event.counted = joiner.counted();
  for (Joining& thread : joiner.threads) {
    event.threads.push_back({Tid(thread.tid()), thread.regs, thread.task().xstate(), thread.first_ticks});
  }
  snapshot->regs = joiner.threads.front().regs;
  const EventNo number(log_->last().value + 1);
  event.snapshot = TraceDir::snapshot_name(number, Tid(first));
  auto path = trace_.snapshot(event.snapshot);
  if (!path) throw sched::EndRecording{path.error().text};
  if (manifest_.program.empty()) {
    manifest_.program = event.program;
    manifest_.command = event.arguments;
  }
  append(first, std::move(event), joiner.threads.front().first_ticks);
  const std::vector<Mapping> mappings = snapshot->mappings;
  write_later(std::move(*snapshot), copy, *path);

  std::vector<TaskLife*> lives;
  for (Joining& thread : joiner.threads) {
    Birthright rights;
    rights.clear_child_tid = thread.clear_child_tid;
    rights.affinity = thread.own.affinity;
    rights.area = thread.area;
    rights.first_ticks = thread.first_ticks;
    lives.push_back(&adopt_joined(thread.tid(), std::move(thread.task()), process, space, rights));
    thread.seized->stopped.reset();
  }
  lives.front()->patch_joined(mappings);
  for (std::size_t i = 0; i < lives.size(); ++i) {
    const Joining& thread = joiner.threads[i];
    lives[i]->stand_joined(thread.regs, thread.seized->stop, thread.arrived);
  }
}

std::string Session::run_joined(std::vector<SeizedTask>& tasks, Clock::time_point stopped_at) {
  first_pid_ = tasks.front().process;
  std::vector<std::vector<SeizedTask*>> processes;
  for (SeizedTask& task : tasks) {
    if (processes.empty() || processes.back().front()->process != task.process) processes.emplace_back();
    processes.back().push_back(&task);
  }
  return run_to_end(first_pid_, [&] {
    try {
      for (const auto& process : processes) join_process(process);
    } catch (const tracee::TaskDied& died) {
      for (const auto& process : processes) leave_half_joined(process);
      throw sched::EndRecording{fmt::format("task {} ended while it was joined", died.tid)};
    } catch (...) {
      for (const auto& process : processes) leave_half_joined(process);
      throw;
    }
    manifest_.attach_us = microseconds_since(stopped_at);
    if (options_.on_joined) options_.on_joined();
  });
}

// Tasks that have no life in this recording yet.
void Session::leave_half_joined(const std::vector<SeizedTask*>& seized) {
  std::vector<std::unique_ptr<LeavingTask>> tasks;
  std::vector<LeavingTask*> touched;
  while (!copies_are_over()) usleep(1000);
  for (SeizedTask* task : seized) {
    if (!task->stopped) continue;
    const OwnSettings* const own = ledger_->entry(task->tid);
    if (own == nullptr) continue;
    tasks.push_back(std::make_unique<LeavingTask>());
    tasks.back()->task = &*task->stopped;
    tasks.back()->stop = task->stop;
    tasks.back()->own = *own;
    if (touched.empty()) tasks.back()->children = children_to_wait_for(task->process);
    touched.push_back(tasks.back().get());
  }
  give_back(touched, nullptr, true, manifest_.cpuid_trapped);
  for (SeizedTask* task : seized) {
    if (!task->stopped) continue;
    std::move(*task->stopped).detach();
    task->stopped.reset();
  }
}

// Everything that tmrec changed is undone, in all tasks before any of them runs again.
void Session::leave(std::vector<sched::Loop::Leaving>& leaving, bool all) {
  std::unordered_map<const AddressSpace*, std::vector<LeavingTask*>> by_space;
  std::unordered_map<pid_t, std::vector<LeavingTask*>>
      strangers;  // whose lives have not begun, or not seen their programs
  std::vector<std::unique_ptr<LeavingTask>> tasks;
  while (!copies_are_over()) usleep(1000);
  for (sched::Loop::Leaving& one : leaving) {
    const pid_t tid = one.task->tid();
    auto task = std::make_unique<LeavingTask>();
    task->task = one.task;
    task->stop = one.stop;
    const auto life = lives_.find(tid);
    const pid_t process = tracee::thread_group_of(tid).value_or(tid);
    if (const OwnSettings* own = ledger_->find(tid, process)) task->own = *own;
    task->children = children_to_wait_for(process);
    if (task->own.tid != tid) task->own.rseq = 0;
    if (task->own.tid == 0) task->own.affinity = affinity;
    const auto ran = tracee::last_ran(tid);
    if (const auto before = ran_before_.find(tid); ran && before != ran_before_.end())
      task->waited = *ran - before->second;
    if (life == lives_.end() || one.executed) {
      strangers[process].push_back(task.get());
    } else {
      life->second->give_back_to(*task);
      by_space[&life->second->space()].push_back(task.get());
    }
    one.extra = task.get();
    tasks.push_back(std::move(task));
  }
  const bool trapped = manifest_.cpuid_trapped;
  for (auto& [space, of_space] : by_space) {
    const bool complete = all && static_cast<std::size_t>(space->tasks) == of_space.size();
    give_back(of_space, &space->patches, complete, trapped);
    for (const LeavingTask* task : of_space) {
      if (task->stays && !task->gone) note(fmt::format("left in memory of tmrec's: a task at {:#x}", task->goal.rip));
    }
    if (!complete)
      note(fmt::format("memory of tmrec's stays: {} of {} tasks were stopped", of_space.size(), space->tasks));
  }
  for (auto& [process, of_process] : strangers) give_back(of_process, nullptr, false, trapped);
  for (sched::Loop::Leaving& one : leaving) one.signal = static_cast<LeavingTask*>(one.extra)->signal;
}

}  // namespace tmrec::recorder
