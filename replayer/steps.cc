// One program instruction after the other.
#include "replayer/walker.h"

namespace tmrec::replayer {

using tracee::Stop;

Result<Walker::Moved> Walker::to_boundary(Task& task) {
  if (ProgramCode(task.space->patches).is_boundary(task.regs.rip)) return Moved{};
  TMREC_TRY(const auto stop, machine_.step_to_boundary(task));
  if (stop) return Moved{stop, {}};
  if (!task.counts()) return Moved{};
  TMREC_TRY(const Ticks now, session_.ticks(task));
  if (now != place_.base.ticks) place_ = {{session_.position(), now, 0}, {}};
  return Moved{};
}

// From one program instruction to the next.
Result<Walker::Moved> Walker::step_program(Task& task) {
  TMREC_TRY(const auto stop, machine_.step_to_boundary(task));
  if (stop) {
    midway_ = task.area.value != 0 && stop->kind == Stop::Kind::Syscall &&
              agent::question_of(task.regs) == agent::Question::Tick;
    return Moved{stop, {}};
  }
  Ticks now;
  if (task.counts()) {
    TMREC_TRY(now, session_.ticks(task));
  }
  if (now != place_.base.ticks) {
    place_ = {{session_.position(), now, 0}, {}};
  } else if (place_.hops.empty()) {
    ++place_.base.steps;
  } else if (place_.hops.back().kind == Hop::Kind::Steps) {
    ++place_.hops.back().count;
  } else {
    place_.hops.push_back({.kind = Hop::Kind::Steps, .stops = {}, .regs = {}});
  }
  return Moved{};
}

Result<Walker::Moved> Walker::step_on(Task& task) {
  ran_ = false;
  TMREC_TRY(const Moved arrived, to_boundary(task));
  if (arrived.event) return arrived;
  // Passing ticks on the way, it may have come to where it was to go.
  if (orders_.goal && place_.hops.empty() && place_.base == *orders_.goal) return Moved{};
  if (std::exchange(midway_, false) && orders_.step == task.tid) return arrived_by_step(task);
  const bool skip = first_ && (orders_.skip_first || orders_.step);
  first_ = false;
  const std::uint64_t pc = ProgramCode(task.space->patches).program_address(task.regs.rip);
  if (!skip && counts(task) && orders_.stops && orders_.stops->stops(pc, session_, task)) {
    return Moved{{}, halt(Halt::Kind::Breakpoint, task)};
  }
  TMREC_TRY(const Moved stepped, step_program(task));
  if (stepped.event) return stepped;
  if (counts(task) && machine_.accessed != 0) {
    if (const auto watch = touched()) {
      Halt watched = halt(Halt::Kind::Watch, task);
      watched.watch = *watch;
      return Moved{{}, watched};
    }
  }
  return arrived_by_step(task);
}

Result<Walker::Moved> Walker::arrived_by_step(const Task& task) const {
  if (orders_.step != task.tid) return Moved{};
  const std::uint64_t now = ProgramCode(task.space->patches).program_address(task.regs.rip);
  if (now >= orders_.range_begin && now < orders_.range_end) return Moved{};
  return Moved{{}, halt(Halt::Kind::Stepped, task)};
}

}  // namespace tmrec::replayer
