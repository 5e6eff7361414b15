// One program instruction after the other.
#include <sys/mman.h>

#include <csignal>
#include <cstring>

#include "replayer/stub.h"
#include "replayer/walker.h"
#include "tracee/opcode.h"

namespace tmrec::replayer {

using tracee::Resume;
using tracee::Stop;

// After a step or a run of the machine: nullopt when it was nothing but that, or led out of a window.
std::optional<Stop> Walker::moved_by(Task& task, const Stop& stop) {
  if (is_interruption(stop)) return std::nullopt;
  if (stop.kind != Stop::Kind::Signal) return stop;
  const siginfo_t info = task.stub->siginfo();
  const bool traced = stop.signal == SIGTRAP && (info.si_code == TRAP_TRACE || info.si_code == TRAP_HWBKPT);
  if (traced) return std::nullopt;
  const auto way_out = task.space->patches.way_out(info, task.regs);
  if (!way_out) return stop;
  task.regs.rip = way_out->value;
  return std::nullopt;
}

Result<std::optional<Stop>> Walker::step_machine(Task& task) {
  using tracee::Opcode;
  const Opcode opcode = tracee::opcode_at(task.space->memory(), task.regs.rip);
  if (opcode.kind == Opcode::Kind::Repeated) return over_repeated(task, task.regs.rip + opcode.length);
  const Resume how = opcode.kind == Opcode::Kind::Call ? Resume::EmulateCalls : Resume::StepEmulated;
  const bool traps = (task.regs.eflags & tracee::kTrapFlag) != 0;
  for (;;) {
    TMREC_TRY(const auto stop, resume(task, how));
    if (!stop || stop->kind == Stop::Kind::EventStop)
      continue;  // told to leave: the instruction is executed all the same
    if (opcode.kind == Opcode::Kind::PushFlags && !traps) tracee::take_back_trap_flag(task.space->memory(), task.regs);
    return moved_by(task, *stop);
  }
}

// A repeated string instruction is one instruction, however often the machine stops in it.
Result<std::optional<Stop>> Walker::over_repeated(Task& task, std::uint64_t behind) {
  insert(task, behind);
  const std::uint64_t at = task.regs.rip;
  for (;;) {
    TMREC_TRY(const auto stop, resume(task, Resume::EmulateCalls));
    const bool done = stop && stop->kind == Stop::Kind::Signal && task.regs.rip == behind + 1;
    if (done) task.regs.rip = behind;
    const bool goes_on = !done && task.regs.rip == at && (!stop || !moved_by(task, *stop));
    if (goes_on) continue;
    remove_traps(task);
    if (done) return std::nullopt;
    return stop;
  }
}

Result<Walker::Moved> Walker::to_boundary(Task& task) {
  const ProgramCode code(task.space->patches);
  if (code.is_boundary(task.regs.rip)) return Moved{};
  do {
    TMREC_TRY(const auto stop, step_machine(task));
    if (stop) return Moved{stop, {}};
  } while (!code.is_boundary(task.regs.rip));
  if (!task.counts()) return Moved{};
  TMREC_TRY(const Ticks now, session_.ticks(task));
  if (now != place_.base.ticks) place_ = {{session_.position(), now, 0}, {}};
  return Moved{};
}

// From one program instruction to the next.
Result<Walker::Moved> Walker::step_program(Task& task) {
  const ProgramCode code(task.space->patches);
  do {
    TMREC_TRY(const auto stop, step_machine(task));
    if (stop) {
      midway_ = task.area.value != 0 && stop->kind == Stop::Kind::Syscall &&
                agent::question_of(task.regs) == agent::Question::Tick;
      return Moved{stop, {}};
    }
  } while (!code.is_boundary(task.regs.rip));
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
  if (!skip && counts(task) && orders_.stops && orders_.stops->has(pc)) {
    return Moved{{}, halt(Halt::Kind::Breakpoint, task)};
  }
  TMREC_TRY(const Moved stepped, step_program(task));
  if (stepped.event) return stepped;
  if (counts(task) && (accessed_ != 0 || by_comparison_)) {
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
