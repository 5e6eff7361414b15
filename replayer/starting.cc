// A replay that begins in the middle of a recording: all tasks, address spaces and patches as a starting point has
// them. One that comes from before compares instead: what differs there would differ in a replay that begins there. One
// that comes from a gap forgets what it had.
#include <fmt/format.h>

#include "replayer/session.h"
#include "replayer/stub.h"

namespace tmrec::replayer {

Result<void> Session::apply_start(const StartEvent& event) {
  if (now_.value != 0 && !in_gap_) return pass_start(event);
  if (in_gap_) forget_everything();
  in_gap_ = false;
  first_process_ = event.first;
  objects_.begin_midway();
  for (const StartEvent::Process& process : event.processes) TMREC_CHECKED(begin_process(process));
  return {};
}

void Session::forget_everything() {
  for (auto& [tid, task] : tasks_) {
    if (task->stub) end_stub(std::move(*task->stub));
  }
  tasks_.clear();
  objects_.clear();
}

Result<void> Session::begin_process(const StartEvent::Process& process) {
  if (process.threads.empty()) return fail(ErrorKind::BadTrace, "a process without threads");
  for (const StartEvent::Thread& thread : process.threads) {
    if (tasks_.contains(thread.tid))
      return fail(ErrorKind::BadTrace, fmt::format("task {} is there twice", thread.tid.value));
  }
  TMREC_TRY(const Snapshot snapshot, this->snapshot(process.snapshot));
  const StartEvent::Thread& first = process.threads.front();
  TMREC_TRY(auto made, first_task(first.tid, process.process, snapshot, false, first.ticks));
  Task& leader = *(tasks_[first.tid] = std::move(made));
  if (process.counted) TMREC_CHECKED(leader.space->install_agent(*leader.stub));
  TMREC_CHECKED(set_fork_advice(leader, process.fork_advice));
  for (const StartEvent::Thread& thread : process.threads) {
    if (&thread == &first) continue;
    if (tasks_.contains(thread.tid))
      return fail(ErrorKind::BadTrace, fmt::format("task {} is there twice", thread.tid.value));
    auto task = std::make_unique<Task>();
    task->tid = thread.tid;
    task->process = process.process;
    task->space = leader.space;
    TMREC_TRY(task->stub, clone_stub(*leader.stub, true));
    ++leader.space->tasks;
    TMREC_CHECKED(start_counter(*task, thread.ticks));
    tasks_[thread.tid] = std::move(task);
  }
  for (const StartEvent::Thread& thread : process.threads) {
    const bool has_area = thread.area.value != 0;
    if (has_area && (!process.counted || !agent::is_area(thread.area.value)))
      return fail(ErrorKind::BadTrace, "a task without its area");
    TMREC_CHECKED(begin_thread(*tasks_.at(thread.tid), thread));
  }
  for (const StartEvent::Module& module : process.modules) {
    if (!process.counted) return fail(ErrorKind::BadTrace, "patched code without an agent");
    TMREC_CHECKED(begin_module(leader, module));
  }
  return {};
}

Result<void> Session::begin_thread(Task& task, const StartEvent::Thread& thread) {
  task.stub->set_xstate(thread.xstate);
  task.regs = thread.regs;
  task.in_call = thread.in_call;
  task.restarts = thread.restarts;
  task.last_event_ns = recent_.back().time_ns;
  if (thread.area.value == 0) return {};
  TMREC_CHECKED(begin_counting(task, thread.area, thread.ticks));
  // Where patched code keeps registers while a task is on its way through it.
  struct Kept {
    std::uint32_t at, size;
  };
  constexpr Kept kKept[] = {
      {patch::TaskArea::kScratchRcx, patch::TaskArea::kSpecialHandler - patch::TaskArea::kScratchRcx},
      {patch::TaskArea::kResume, sizeof(std::uint64_t)},
      {agent::kScratchR11, sizeof(std::uint64_t)}};
  for (const Kept& kept : kKept) {
    if (kept.at + kept.size > thread.scratch.size()) return fail(ErrorKind::BadTrace, "a task's area is cut off");
    task.space->memory().write(thread.area.value + kept.at, thread.scratch.data() + kept.at, kept.size);
  }
  return {};
}

Result<void> Session::begin_module(Task& task, const StartEvent::Module& module) {
  const PatchEvent applied{PatchEvent::Kind::Applied, module.text, module.block, module.plan, module.module};
  if (!module.undone) return apply_to(task, applied);
  TMREC_TRY(const StoredPlan stored, plan(module.plan));
  TMREC_TRY(const tracee::PatchedSpace::Block block,
            task.space->map_block(*task.stub, module.block, *stored.plan, module.text, stored.blob->file.get()));
  const bool done = task.space->patches.apply_undone(task.space->memory(),
                                                     {module.text, module.block, stored.plan, module.module}, block);
  if (done) return {};
  return fail(ErrorKind::Desync, fmt::format("the code of {} is not what it was", module.module));
}

Result<void> Session::pass_start(const StartEvent& event) {
  for (const StartEvent::Process& process : event.processes) {
    for (const StartEvent::Thread& thread : process.threads) {
      TMREC_TRY(Task * there, task(thread.tid));
      if (there->in_call != thread.in_call) {
        return fail(ErrorKind::Desync, fmt::format("task {} is {} a call at a starting point", thread.tid.value,
                                                   there->in_call ? "in" : "not in"));
      }
      if (!there->in_call) TMREC_CHECKED(same_regs("at a starting point", there->regs, thread.regs));
      if (!there->counts()) continue;
      TMREC_TRY(const Ticks now, ticks(*there));
      if (now != thread.ticks) {
        return fail(ErrorKind::Desync, fmt::format("task {} has made {} ticks at a starting point, recorded {}",
                                                   thread.tid.value, now.value, thread.ticks.value));
      }
    }
  }
  return {};
}

}  // namespace tmrec::replayer
