// Ticks at replay: a task comes to its next event by itself, unless that is a tick; there its counter stops it. At
// every event the count is compared, so that a task on another path is noticed at once. The counterpart of
// recorder/counting.cc and recorder/patching.cc.
#include <unistd.h>

#include <fmt/format.h>

#include "format/file_io.h"
#include "replayer/session.h"
#include "tracee/vdso.h"

namespace tmrec::replayer {

namespace {

constexpr std::uint64_t kEndless = std::uint64_t{1} << 62;

// Events that say where their task stands. Others may be recorded while it computes (a signal that changes nothing), or
// when it is gone.
bool is_at_its_place(const Event& event) {
  if (const auto* signal = std::get_if<SignalEvent>(&event.body)) {
    return signal->synchronous || signal->action == SignalEvent::Action::Handler;
  }
  return std::holds_alternative<SyscallEvent>(event.body) || std::holds_alternative<TickEvent>(event.body) ||
         std::holds_alternative<InstructionEvent>(event.body) || std::holds_alternative<CheckEvent>(event.body);
}

}  // namespace

Result<Ticks> Session::ticks(Task& task) {
  if (task.counter) return task.counter->read();
  auto left = agent::counter(task.space->memory(), task.area);
  if (!left) return fail(ErrorKind::Desync, fmt::format("task {} has lost its counter", task.tid.value));
  return Ticks(task.counted_from - *left);
}

// The task is stopped when it has made `stop` ticks in all.
Result<void> Session::count_down(Task& task, std::uint64_t stop) {
  TMREC_TRY(const Ticks now, ticks(task));
  task.counted_from = stop;
  if (agent::set_counter(task.space->memory(), task.area, stop - now.value)) return {};
  return fail(ErrorKind::Desync, fmt::format("task {} has lost its counter", task.tid.value));
}

Result<void> Session::begin_counting(Task& task, RemoteAddr area, Ticks first) {
  if (first.value >= kEndless) return fail(ErrorKind::BadTrace, "a task that has made too many ticks");
  task.area = area;
  task.counted_from = kEndless;
  if (agent::prepare_area(task.space->memory(), area, kEndless - first.value)) return {};
  return fail(ErrorKind::BadTrace, fmt::format("no memory for the counter of task {}", task.tid.value));
}

Result<void> Session::check_ticks(Task& task, const Event& event) {
  if (!task.counts() || !is_at_its_place(event)) return {};
  TMREC_TRY(const Ticks now, ticks(task));
  if (now == event.ticks) return {};
  return fail(ErrorKind::Desync,
              fmt::format("task {} has made {} ticks, recorded {}", task.tid.value, now.value, event.ticks.value));
}

Result<agent::Asked> Session::asked(Task& task) {
  auto state = agent::program_state(task.space->memory(), task.space->patches, task.area, task.regs);
  if (!state) return fail(ErrorKind::Desync, fmt::format("task {} has lost its area", task.tid.value));
  return *state;
}

Regs Session::program_view(const Task& task) const {
  return task.space->patches.program_view(task.space->memory(), task.area, task.regs);
}

Result<void> Session::apply_to(Task& task, const TickEvent& event) {
  if (!task.counts() || task.in_call) return fail(ErrorKind::BadTrace, "a tick of a task that can't make one");
  if (task.counter) return arrive_at(task, event);
  const std::uint64_t wanted = recent_.back().ticks.value;
  TMREC_TRY(const Ticks now, ticks(task));
  if (wanted % agent::kStopEvery != 0) return fail(ErrorKind::BadTrace, "a stop at a tick where tasks are not stopped");
  if (wanted <= now.value) {
    return fail(ErrorKind::Desync,
                fmt::format("task {} has made {} ticks, and should stop at {}", task.tid.value, now.value, wanted));
  }
  TMREC_CHECKED(count_down(task, wanted));
  if (task.restarts) restart_call(task);
  TMREC_TRY(const Reached reached, run(task));
  if (reached.question != agent::Question::Tick) {
    actual_regs_ = task.regs;
    expected_regs_ = event.regs;
    return fail(ErrorKind::Desync, fmt::format("expected tick {} at {:#x}, came to {} at {:#x}", wanted, event.regs.rip,
                                               tracee::describe(reached.stop), task.regs.rip));
  }
  TMREC_TRY(const agent::Asked at, asked(task));
  task.regs = at.regs;
  TMREC_CHECKED(same_regs("at a tick", task.regs, event.regs));
  return count_down(task, kEndless);
}

Result<Session::StoredPlan> Session::plan(const BlobId& id) {
  if (auto known = plans_.find(id.hex); known != plans_.end()) return known->second;
  if (!BlobStore::valid(id)) return fail(ErrorKind::BadTrace, "a patch without its plan");
  TMREC_TRY(Objects::Blob blob, objects_.blob(id));
  auto kept = std::make_shared<const Objects::Blob>(std::move(blob));
  auto viewed = patch::Plan::view(kept->content.bytes(), kept);
  if (!viewed) return fail(ErrorKind::BadTrace, fmt::format("blob {}: {}", id.hex, viewed.error().text));
  return plans_[id.hex] = {std::make_shared<const patch::Plan>(std::move(*viewed)), std::move(kept)};
}

Result<void> Session::apply_to(Task& task, const PatchEvent& event) {
  tracee::PatchedSpace& patches = task.space->patches;
  switch (event.kind) {
    case PatchEvent::Kind::Applied: {
      TMREC_TRY(const StoredPlan stored, plan(event.plan));
      TMREC_TRY(const tracee::PatchedSpace::Block block,
                task.space->map_block(*task.stub, event.block, *stored.plan, event.text, stored.blob->file.get()));
      if (patches.apply(task.space->memory(), {event.text, event.block, stored.plan, event.module}, block)) return {};
      break;
    }
    case PatchEvent::Kind::Undone:
      if (event.module == "[vdso]") {
        tracee::lead_vdso_to(task.space->memory(), event.text, tracee::kMostOfVdso, 0);
        return {};
      }
      if (patches.undo(task.space->memory(), event.text)) return {};
      break;
    case PatchEvent::Kind::Unmapped: {
      for (const tracee::PatchedModule& module : patches.modules()) {
        if (!(module.text == event.text)) continue;
        call_in_stub(*task.stub, SYS_munmap, {module.block.value, module.plan->block.size()});
        patches.forget(event.text);
        return {};
      }
      break;
    }
  }
  return fail(ErrorKind::Desync,
              fmt::format("the code of {} at {:#x} is not what it was", event.module, event.text.value));
}

}  // namespace tmrec::replayer
