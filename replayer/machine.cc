#include "replayer/machine.h"

#include <algorithm>
#include <csignal>

#include <fmt/format.h>

#include "replayer/program_code.h"
#include "replayer/stub.h"
#include "tracee/debug_registers.h"
#include "tracee/opcode.h"
#include "tracee/proc.h"

namespace tmrec::replayer {

using tracee::Resume;
using tracee::Stop;

namespace {

constexpr std::uint8_t kTrapInstruction = 0xcc;

// Raised, and not reported yet, because the interruption came first.
bool has_more_to_say(pid_t tid) {
  constexpr int kFaults[] = {SIGTRAP, SIGSEGV, SIGBUS, SIGILL, SIGFPE};
  const auto pending = tracee::pending_signals(tid);
  return pending && std::ranges::any_of(kFaults, [&](int signal) { return (*pending >> (signal - 1) & 1) != 0; });
}

}  // namespace

Result<std::optional<Stop>> Machine::resume(Task& task, Resume how) {
  for (;;) {
    Regs regs = task.regs;
    regs.orig_rax = ~std::uint64_t{0};  // the kernel must not restart anything
    task.stub->set_regs(regs);
    bool told = false;
    const auto stop = run_machine(task, how, limit, [&] {
      if (!told && give_up && give_up()) told = true;
      return told;
    });
    left |= told;
    task.regs = task.stub->regs();
    if (!stop && !told) {
      return fail(ErrorKind::Desync, fmt::format("task {} does not reach its next event", task.tid.value));
    }
    if (armed && stop && stop->kind == Stop::Kind::Signal && stop->signal == SIGTRAP) {
      accessed |= tracee::take_watched(*task.stub);
    }
    const bool interrupted = !stop || is_interruption(*stop);
    if (interrupted && (!told || has_more_to_say(task.stub->tid()))) continue;
    return interrupted ? std::nullopt : stop;
  }
}

void Machine::insert(const Task& task, std::uint64_t at) {
  const auto byte = task.space->memory().get<std::uint8_t>(RemoteAddr(at));
  if (byte && task.space->memory().write(at, &kTrapInstruction, 1)) traps_.push_back({at, *byte});
}

bool Machine::has_trapped(Task& task, const Stop& stop) const {
  if (stop.kind != Stop::Kind::Signal || stop.signal != SIGTRAP) return false;
  const bool here = std::ranges::any_of(traps_, [&](const Trap& trap) { return trap.at == task.regs.rip - 1; });
  if (here) task.regs.rip -= 1;
  return here;
}

Result<std::optional<Stop>> Machine::step_off_trap(Task& task) {
  const std::vector<Trap> traps = traps_;
  const std::uint64_t at = task.regs.rip;
  const auto first = std::ranges::find(traps_, at, &Trap::at);
  task.space->memory().write(at, &first->byte, 1);
  std::erase_if(traps_, [&](const Trap& trap) { return trap.at == at; });
  // A repeated string instruction has a trap of its own behind it, and takes all of them away.
  auto stop = step(task);
  const bool all_gone = traps_.empty();
  traps_ = traps;
  for (const Trap& trap : traps) {
    if (all_gone || trap.at == at) task.space->memory().write(trap.at, &kTrapInstruction, 1);
  }
  return stop;
}

// In the reverse order: where two are in one place, the later one has found the earlier.
std::vector<Machine::Trap> Machine::remove_traps(const Task& task) {
  for (auto trap = traps_.rbegin(); trap != traps_.rend(); ++trap) {
    task.space->memory().write(trap->at, &trap->byte, 1);
  }
  return std::exchange(traps_, {});
}

std::optional<Stop> Machine::moved_by(Task& task, const Stop& stop) {
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

Result<std::optional<Stop>> Machine::step(Task& task) {
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
Result<std::optional<Stop>> Machine::over_repeated(Task& task, std::uint64_t behind) {
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

Result<std::optional<Stop>> Machine::step_to_boundary(Task& task) {
  const ProgramCode code(task.space->patches);
  do {
    TMREC_TRY(const auto stop, step(task));
    if (stop) return stop;
  } while (!code.is_boundary(task.regs.rip));
  return std::nullopt;
}

}  // namespace tmrec::replayer
