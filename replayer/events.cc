// Everything in the log but system calls, at replay.
#include <linux/sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <csignal>
#include <cstring>

#include <fmt/format.h>

#include "format/core_file.h"
#include "format/manifest.h"
#include "replayer/session.h"
#include "syscalls/abi.h"
#include "syscalls/effects.h"
#include "tracee/memory_hash.h"
#include "tracee/proc.h"

namespace tmrec::replayer {

using tracee::Stop;

namespace {

// The recorder sets a task back into the program before it is given such a signal (recorder/signals.cc).
bool shows_program_address(const SignalEvent& event) {
  return event.action == SignalEvent::Action::Handler || event.action == SignalEvent::Action::Fatal;
}

}  // namespace

// The kernel of the replaying machine never builds a frame: the recorded one is written.
Result<void> Session::apply_to(Task& task, const SignalEvent& event) {
  bool handled = event.action == SignalEvent::Action::Handler;
  if (event.synchronous) {
    if (task.restarts) restart_call(task);
    TMREC_TRY(const Reached reached, run(task));
    const Stop& stop = reached.stop;
    const std::uint64_t raw = task.regs.rip;
    if (stop.kind == Stop::Kind::Signal && shows_program_address(event)) task.regs = program_view(task);
    if (stop.kind != Stop::Kind::Signal || stop.signal != event.signo) {
      actual_regs_ = task.regs;
      expected_regs_ = event.before;
      return fail(ErrorKind::Desync, fmt::format("expected signal {} at {:#x}, came to {} at {:#x}", event.signo,
                                                 event.before.rip, tracee::describe(stop), task.regs.rip));
    }
    TMREC_CHECKED(same_regs("at a fault", task.regs, event.before));
    siginfo_t recorded{};
    std::memcpy(&recorded, event.siginfo.data(), std::min(event.siginfo.size(), sizeof recorded));
    siginfo_t actual = task.stub->siginfo();
    if (actual.si_addr == reinterpret_cast<void*>(raw)) actual.si_addr = reinterpret_cast<void*>(task.regs.rip);
    if (actual.si_addr != recorded.si_addr || actual.si_code != recorded.si_code) {
      return fail(ErrorKind::Desync, fmt::format("the fault is at {} (code {}), recorded {} (code {})", actual.si_addr,
                                                 actual.si_code, recorded.si_addr, recorded.si_code));
    }
  } else if (!handled && !event.at_syscall) {
    // It changed nothing, wherever it came, but that the recorder has set the task back into the program.
    if (shows_program_address(event) && !task.in_call) task.regs = program_view(task);
    return {};
  } else if (event.at_syscall && !task.in_call) {
    TMREC_CHECKED(reach_call(task, event.before, shows_program_address(event) ? Before::InProgram : Before::Raw));
    task.regs = event.before;
  } else if (!task.in_call) {
    if (shows_program_address(event)) task.regs = program_view(task);
    TMREC_CHECKED(same_regs("at a signal", task.regs, event.before));
  }
  if (!handled) return {};
  if (!task.space->write(event.frame.addr, event.frame.bytes)) {
    return fail(ErrorKind::Desync, fmt::format("no memory at {:#x} for a signal frame", event.frame.addr.value));
  }
  task.regs = event.after;
  task.restarts = false;
  if (!event.xstate.empty()) task.stub->set_xstate(event.xstate);
  return {};
}

Result<void> Session::apply_to(Task& task, const InstructionEvent& event) {
  if (task.restarts) restart_call(task);
  TMREC_TRY(const Reached reached, run(task));
  const Stop& stop = reached.stop;
  const bool asks = reached.question == agent::Question::Special;
  if (!asks && (stop.kind != Stop::Kind::Signal || stop.signal != SIGSEGV)) {
    return fail(ErrorKind::Desync, fmt::format("expected a special instruction at {:#x}, came to {} at {:#x}",
                                               event.before.rip, tracee::describe(stop), task.regs.rip));
  }
  if (asks) {
    TMREC_TRY(const agent::Asked at, asked(task));
    task.regs = at.regs;
    const tracee::PatchedModule* module = task.space->patches.with_block(at.block);
    if (module != nullptr) {
      task.regs.rip = module->text.value + module->plan->stops[at.stop].program;
    }
  }
  TMREC_CHECKED(same_regs("at a special instruction", task.regs, event.before));
  task.regs = event.after;
  return {};
}

Result<void> Session::apply_to(Task& parent, const CloneEvent& event) {
  if (!parent.in_call) return fail(ErrorKind::BadTrace, "a task is born outside of a system call");
  if (tasks_.contains(event.child)) {
    return fail(ErrorKind::BadTrace, fmt::format("task {} is born while it lives", event.child.value));
  }
  bool shares_memory = (event.flags & CLONE_VM) != 0;
  auto child = std::make_unique<Task>();
  child->tid = event.child;
  child->process = event.child_process;
  TMREC_TRY(tracee::Stopped stub, clone_stub(*parent.stub, shares_memory));
  if (shares_memory) {
    child->space = parent.space;
  } else {
    TMREC_TRY(Space copy, parent.space->forked(stub));
    child->space = std::make_shared<Space>(std::move(copy));
  }
  ++child->space->tasks;
  child->stub = std::move(stub);
  child->regs = event.child_regs;
  if (parent.area.value != 0 && agent::is_area(child->regs.gs_base)) {
    TMREC_CHECKED(begin_counting(*child, RemoteAddr(child->regs.gs_base), event.child_ticks));
  }
  TMREC_CHECKED(start_counter(*child, event.child_ticks));
  child->last_event_ns = recent_.back().time_ns;
  TMREC_CHECKED(write_extents(*child, event.child_memory));
  tasks_[event.child] = std::move(child);
  return {};
}

Result<void> Session::apply_exec(Tid tid, const ExecEvent& event) {
  auto former = tasks_.find(event.former);
  if (former != tasks_.end()) {
    --former->second->space->tasks;
    if (former->second->stub) end_stub(std::move(*former->second->stub));
    tasks_.erase(former);
  }
  if (auto old = tasks_.find(tid); old != tasks_.end()) {
    --old->second->space->tasks;
    if (old->second->stub) end_stub(std::move(*old->second->stub));
    tasks_.erase(old);
  }
  if (first_process_.value == 0) first_process_ = tid;
  TMREC_TRY(const Snapshot snapshot, this->snapshot(event.snapshot));
  TMREC_TRY(tasks_[tid], first_task(tid, tid, snapshot, event.counted, recent_.back().ticks));
  return {};
}

Result<Snapshot> Session::snapshot(const std::string& name) const {
  TMREC_TRY(auto path, trace_.snapshot(name));
  std::error_code unknown;
  if (std::filesystem::exists(path, unknown) || unknown) return read_core(path);
  const auto manifest = Manifest::load(trace_.path());
  const std::string why = manifest ? manifest->end_reason : "";
  return fail(ErrorKind::BadTrace, fmt::format("{}: the memory to begin with was not kept{}: record again",
                                               path.string(), why.empty() ? "" : " (" + why + ")"));
}

// A task in an address space of its own, which the snapshot describes.
Result<std::unique_ptr<Task>> Session::first_task(Tid tid, Tid process, const Snapshot& snapshot, bool counted,
                                                  Ticks ticks) {
  auto task = std::make_unique<Task>();
  task->tid = tid;
  task->process = process;
  TMREC_TRY(tracee::Stopped stub, new_stub(trap_cpuid_));
  TMREC_TRY(Space space, Space::build(stub, snapshot, objects_));
  task->space = std::make_shared<Space>(std::move(space));
  task->space->tasks = 1;
  stub.set_xstate(snapshot.xstate);
  task->stub = std::move(stub);
  task->regs = snapshot.regs;
  if (counted) {
    TMREC_CHECKED(task->space->install_agent(*task->stub));
    if (!agent::is_area(snapshot.regs.gs_base)) return fail(ErrorKind::BadTrace, "a task without its area");
    TMREC_CHECKED(begin_counting(*task, RemoteAddr(snapshot.regs.gs_base), ticks));
  }
  TMREC_CHECKED(start_counter(*task, ticks));
  return task;
}

Result<void> Session::set_fork_advice(Task& task, const std::vector<AttachEvent::ForkAdvice>& advices) {
  for (const AttachEvent::ForkAdvice& advice : advices) {
    constexpr std::uint32_t kMadvise = SYS_madvise;
    const std::uint64_t args[6] = {advice.start.value, advice.size, static_cast<std::uint64_t>(advice.advice), 0, 0, 0};
    TMREC_CHECKED(task.space->perform(*task.stub, kMadvise, args, 0, std::nullopt, objects_));
  }
  return {};
}

Result<void> Session::apply_attach(Tid tid, const AttachEvent& event) {
  if (event.threads.empty() || event.threads.front().tid != tid) {
    return fail(ErrorKind::BadTrace, "a process without threads");
  }
  for (const AttachEvent::Thread& thread : event.threads) {
    if (tasks_.contains(thread.tid)) {
      return fail(ErrorKind::BadTrace, fmt::format("task {} is joined while it lives", thread.tid.value));
    }
  }
  if (first_process_.value == 0) first_process_ = event.process;
  TMREC_TRY(const Snapshot snapshot, this->snapshot(event.snapshot));
  TMREC_TRY(auto first, first_task(tid, event.process, snapshot, event.counted, event.threads.front().ticks));
  TMREC_CHECKED(set_fork_advice(*first, event.fork_advice));
  const std::shared_ptr<Space> space = first->space;
  Task* const leader = (tasks_[tid] = std::move(first)).get();
  leader->regs = event.threads.front().regs;
  for (const AttachEvent::Thread& thread : event.threads) {
    Task* task = leader;
    if (&thread != &event.threads.front()) {
      auto made = std::make_unique<Task>();
      made->tid = thread.tid;
      made->process = event.process;
      made->space = space;
      TMREC_TRY(made->stub, clone_stub(*leader->stub, true));
      ++space->tasks;
      made->stub->set_xstate(thread.xstate);
      made->regs = thread.regs;
      task = (tasks_[thread.tid] = std::move(made)).get();
      if (agent::is_area(thread.regs.gs_base) && event.counted) {
        TMREC_CHECKED(begin_counting(*task, RemoteAddr(thread.regs.gs_base), thread.ticks));
      }
    }
    const auto ret = static_cast<std::int64_t>(task->regs.rax);
    task->restarts =
        static_cast<std::int64_t>(task->regs.orig_rax) >= 0 && syscalls::was_interrupted(ret) && ret != -EINTR;
    task->last_event_ns = recent_.back().time_ns;
  }
  return {};
}

Result<void> Session::apply_to(Task& task, const ExitEvent& event) {
  TMREC_CHECKED(write_extents(task, event.memory));
  if (!exit_status_ && task.process == first_process_ && event.process_ended) exit_status_ = event.status;
  --task.space->tasks;
  if (task.stub) end_stub(std::move(*task.stub));
  task.stub.reset();
  tasks_.erase(Tid(task.tid));
  return {};
}

Result<void> Session::apply_to(Task& task, const CheckEvent& event) {
  if (!task.in_call) TMREC_CHECKED(same_regs("at a check", task.regs, event.regs));
  tracee::PresentPages present(task.stub->tid());
  TMREC_TRY(auto maps, tracee::read_maps(task.stub->tid()));
  for (const CheckEvent::Range& range : event.ranges) {
    std::uint64_t mapped = range.start.value;  // up to here; what the recording hashed is there, in one piece
    for (const auto& map : maps) {
      if (map.start.value <= mapped && mapped < map.end.value) mapped = map.end.value;
    }
    if (mapped < range.end.value || range.start.value % kPageSize != 0 || range.end.value % kPageSize != 0) {
      return fail(ErrorKind::Desync, fmt::format("memory {:#x}-{:#x}, hashed at recording, is not all there",
                                                 range.start.value, range.end.value));
    }
    bool shared = false;
    for (const auto& map : maps) {
      if (map.start <= range.start && range.start < map.end) shared = map.shared;
    }
    std::uint64_t hash = tracee::hash_range(task.space->memory(), present, range.start, range.end, shared);
    if (hash != range.hash) {
      return fail(ErrorKind::Desync,
                  fmt::format("memory {:#x}-{:#x} differs from the recording (hash {:#x}, recorded {:#x})",
                              range.start.value, range.end.value, hash, range.hash));
    }
  }
  return {};
}

}  // namespace tmrec::replayer
