// One program instruction after the other.
#include <sys/mman.h>

#include <csignal>
#include <cstring>

#include "replayer/stub.h"
#include "replayer/walker.h"

namespace tmrec::replayer {

using tracee::Resume;
using tracee::Stop;

namespace {

// What matters of an instruction when it is executed in a single step (Intel SDM volume 2, chapter 2 and table A-2).
struct Opcode {
  enum class Kind { Plain, Call, Repeated, PushFlags } kind = Kind::Plain;
  std::uint64_t length = 0;  // Repeated
};

Opcode look_at(const Bytes& code) {
  bool repeats = false;
  std::size_t i = 0;
  for (; i < code.size(); ++i) {
    const std::uint8_t b = code[i];
    const bool rep = b == 0xf2 || b == 0xf3, rex = (b & 0xf0) == 0x40;
    const bool other = b == 0x66 || b == 0x67 || b == 0x2e || b == 0x36 || b == 0x3e || b == 0x26 || b == 0x64 ||
                       b == 0x65 || b == 0xf0;
    if (!rep && !rex && !other) break;
    repeats |= rep;
  }
  if (i == code.size()) return {};
  const std::uint8_t op = code[i], next = i + 1 < code.size() ? code[i + 1] : 0;
  const bool call = (op == 0x0f && (next == 0x05 || next == 0x34)) || (op == 0xcd && next == 0x80);
  if (call) return {Opcode::Kind::Call};
  if (op == 0x9c) return {Opcode::Kind::PushFlags};
  const bool string = (op >= 0xa4 && op <= 0xa7) || (op >= 0xaa && op <= 0xaf) || (op >= 0x6c && op <= 0x6f);
  if (repeats && string) return {Opcode::Kind::Repeated, i + 1};
  return {};
}

constexpr std::size_t kLongestInstruction = 15;
constexpr std::uint64_t kTrapFlag = 0x100;

// The kernel hides its trap flag from everyone but this instruction.
void take_back_trap_flag(const Task& task) {
  auto pushed = task.space->memory().get<std::uint16_t>(RemoteAddr(task.regs.rsp));
  if (!pushed || (*pushed & kTrapFlag) == 0) return;
  *pushed = static_cast<std::uint16_t>(*pushed & ~kTrapFlag);
  task.space->memory().write(task.regs.rsp, &*pushed, sizeof *pushed);
}

}  // namespace

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
  const Opcode opcode = look_at(task.space->memory().read_some(RemoteAddr(task.regs.rip), kLongestInstruction));
  if (opcode.kind == Opcode::Kind::Repeated) return over_repeated(task, task.regs.rip + opcode.length);
  const Resume how = opcode.kind == Opcode::Kind::Call ? Resume::EmulateCalls : Resume::StepEmulated;
  const bool traps = (task.regs.eflags & kTrapFlag) != 0;
  for (;;) {
    TMREC_TRY(const auto stop, resume(task, how));
    if (!stop || stop->kind == Stop::Kind::EventStop)
      continue;  // told to leave: the instruction is executed all the same
    if (opcode.kind == Opcode::Kind::PushFlags && !traps) take_back_trap_flag(task);
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
  if (task.area.value == 0) return Moved{};
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
  if (task.area.value != 0) {
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
