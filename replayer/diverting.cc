// What a debugger changes: diversions from the recording.
//
// Problem: a debugger does not say why it changes something. For `print f(x)` it changes registers, runs, and puts them
// back; then the recording is to be what is seen again. After `set var x = 5` the changed program is. Solution: the
// commands that gdb has from us (gdb_commands.py) tell what its user has changed. Other clients are understood by what
// they change first: a call begins with registers, and is over when they are back.
#include <sys/mman.h>

#include <algorithm>

#include <fmt/format.h>

#include "replayer/debug_target.h"
#include "replayer/moment.h"
#include "tracee/proc.h"

namespace tmrec::replayer {

using gdbstub::Stop;
using Why = Stop::Why;

Result<Diversion*> DebugTarget::divert(Tid process) {
  if (!diversion_) {
    TMREC_TRY(auto copy, timeline_.session().fork());
    diversion_ = std::make_unique<Diversion>(std::move(copy), process);
    if (Task* const of = any_task(process)) {
      if (auto mapped = lent_.map_into(*of); !mapped) {
        diversion_.reset();
        return std::unexpected(mapped.error());
      }
    }
    stop_before_diversion_ = stop_;
    diversion_said_ = false;
  }
  return diversion_.get();
}

void DebugTarget::end_diversion() {
  if (!diversion_) return;
  const Tid active = diversion_->active();
  if (const Task* const of = any_task(diversion_->process())) lent_.update_from(*of);
  diversion_.reset();
  if (const auto of = task(active)) {
    for (const tracee::MapsLine& line :
         tracee::read_maps((*of)->stub->tid()).value_or(std::vector<tracee::MapsLine>{})) {
      const bool is_stack = line.start.value <= (*of)->regs.rsp && line.end.value > (*of)->regs.rsp;
      const std::pair stack(line.start, line.end);
      if (is_stack && (line.prot & PROT_EXEC) == 0 &&
          std::ranges::find(stacks_of_calls_, stack) == stacks_of_calls_.end())
        stacks_of_calls_.push_back(stack);
    }
  }
  stop_ = stop_before_diversion_;
}

Result<void> DebugTarget::set_registers(Tid thread, const Regs& regs) {
  TMREC_TRY(Task * of, task(thread));
  TMREC_TRY(Diversion* const diversion, divert(of->process));
  TMREC_TRY(of, task(thread));
  TMREC_CHECKED(diversion->set_registers(*of, regs));
  // Who does not say when a call is done puts the registers back when it is.
  if (!tells_changes_ && diversion_said_ && !diversion->kept() && diversion->registers_are_back()) end_diversion();
  return {};
}

Result<void> DebugTarget::set_extended(Tid thread, const Bytes& state) {
  TMREC_TRY(Task * of, task(thread));
  TMREC_TRY(Diversion* const diversion, divert(of->process));
  TMREC_TRY(of, task(thread));
  return diversion->set_extended(*of, state);
}

Result<void> DebugTarget::write_memory(RemoteAddr to, const Bytes& bytes) {
  const bool first = !diversion_;
  if (first && lent_.write(to, bytes)) return {};
  TMREC_TRY(Diversion* const diversion, divert(viewed_));
  Task* const of = any_task();
  if (of == nullptr) return fail(ErrorKind::Usage, "the process has ended");
  if (first && !tells_changes_) diversion->keep();
  return diversion->write_memory(*of, to, bytes);
}

std::string DebugTarget::keep_diversion() {
  if (!diversion_ || diversion_->kept()) return {};
  diversion_->keep();
  const auto from = timeline_.position();
  return fmt::format(
      "tmrec: from here on this is a diversion from the recording{}. It ends when you go back, or by end-diversion.\n",
      from ? " at " + text_of(*from) : "");
}

// The command that called functions has come to its end, and with it the diversion it called them in.
std::string DebugTarget::calls_done() {
  if (!diversion_ || diversion_->kept() || !diversion_->registers_are_back()) return {};
  end_diversion();
  return "done\n";
}

bool DebugTarget::is_left_by(const gdbstub::Resume& how) const {
  return how.backward || (!diversion_->kept() && diversion_->registers_are_back());
}

Result<Stop> DebugTarget::run_diversion(const gdbstub::Resume& how, const gdbstub::Interrupted& interrupted) {
  const Tid active = diversion_->active();
  TMREC_TRY(Task* const runs, task(how.step ? *how.step : active.value != 0 ? active : stop_.thread));
  std::vector<std::uint64_t> breakpoints = stops()->breakpoints;
  const bool first = !std::exchange(diversion_said_, true);
  Result<Diversion::Halt> halt = fail(ErrorKind::System, "");
  try {
    halt = diversion_->run(*runs, {.step = how.step.has_value(),
                                   .range_begin = how.range_begin.value,
                                   .range_end = how.range_end.value,
                                   .breakpoints = breakpoints,
                                   .give_up = interrupted});
  } catch (const tracee::ImpossibleState& impossible) {
    halt = fail(ErrorKind::Usage, "the thread can't go on with these registers: " + impossible.what);
  } catch (const tracee::TaskDied&) {
    halt = fail(ErrorKind::System, "the diversion has died of what was done in it");
  }
  Stop stop{.why = Why::Stepped, .thread = runs->tid, .watch = {}, .program = {}};
  if (first && !diversion_->kept())
    stop.said = "tmrec: called in a diversion: a copy of the program, thrown away afterwards\n";
  stop.said += diversion_->take_output();
  if (!halt) {
    end_diversion();
    stop = stop_;
    stop.why = Why::Moved;
    stop.said = fmt::format("tmrec: {}; this is the recording\n", halt.error().text);
    return stop_ = stop;
  }
  siginfo_.reset();
  using Kind = Diversion::Halt::Kind;
  switch (halt->kind) {
    case Kind::Breakpoint:
      stop.why = Why::Breakpoint;
      break;
    case Kind::Stepped:
      break;
    case Kind::Signal:
      stop.why = Why::Signal;
      stop.signal = halt->signal;
      siginfo_ = halt->siginfo;
      break;
    case Kind::Asked:
      stop.why = Why::Interrupted;
      break;
    case Kind::Ended:
      stop.why = Why::Interrupted;
      stop.said += "tmrec: the diversion would exit here\n";
      break;
    case Kind::Stuck:
      stop.why = Why::Interrupted;
      stop.said += "tmrec: the diversion would wait here for another thread\n";
      break;
  }
  return stop_ = stop;
}

}  // namespace tmrec::replayer
