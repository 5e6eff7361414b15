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
constexpr Stop kStepped{.kind = Stop::Kind::Signal,
                        .signal = 0};  // no stop of the machine's: an instruction was executed

// Raised, and not reported yet, because the interruption came first.
bool has_more_to_say(pid_t tid) {
  constexpr int kFaults[] = {SIGTRAP, SIGSEGV, SIGBUS, SIGILL, SIGFPE};
  const auto pending = tracee::pending_signals(tid);
  return pending && std::ranges::any_of(kFaults, [&](int signal) { return (*pending >> (signal - 1) & 1) != 0; });
}

}  // namespace

Result<std::optional<Stop>> Machine::run(Task& task, Resume how, CounterInterrupt then) {
  for (;;) {
    Regs regs = task.regs;
    regs.orig_rax = ~std::uint64_t{0};  // the kernel must not restart anything
    task.stub->set_regs(regs);
    bool told = false;
    const auto stop = run_machine(task, how, limit, armed, [&] {
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
    if (stop && stop->kind == Stop::Kind::Signal && stop->signal == SIGSEGV &&
        fence.has_stopped(task.stub->siginfo())) {
      const std::uint32_t before = accessed;
      TMREC_TRY(const auto led_to, pass_fence(task));
      if (led_to || accessed != before || how == Resume::StepEmulated) return led_to ? led_to : kStepped;
      continue;
    }
    if (stop && is_counter_interrupt(task, *stop)) {
      counter_due = true;
      if (then == CounterInterrupt::Pass) continue;
    }
    const bool interrupted = !stop || is_interruption(*stop);
    if (interrupted && (!told || has_more_to_say(task.stub->tid()))) continue;
    return interrupted ? std::nullopt : stop;
  }
}

// The instruction that the fence has refused an access, whole.
Result<std::optional<Stop>> Machine::pass_fence(Task& task) {
  const auto refused = reinterpret_cast<std::uint64_t>(task.stub->siginfo().si_addr);
  const Fence::Doubt doubt = fence.doubts(task, refused);
  accessed |= fence.touched_at(refused) | doubt.untold | (Fence::scatters(task) ? fence.all() : 0);
  TMREC_CHECKED(fence.lower(task));
  if (!doubt.words.empty()) TMREC_CHECKED(tracee::set_watches(*task.stub, doubt.words));
  const auto stop = step_among_traps(task);
  if (!doubt.words.empty()) {
    const std::uint32_t hits = tracee::take_watched(*task.stub);
    for (std::size_t i = 0; i < doubt.words.size(); ++i) {
      if ((hits >> i & 1) != 0) accessed |= 1u << doubt.ranges[i];
    }
    TMREC_CHECKED(tracee::set_watches(*task.stub, {}));
  }
  TMREC_CHECKED(fence.raise_again(task));
  return stop;
}

// Where it stands in a detour, or in a jump to one, is nothing that anybody else knows of.
Result<std::optional<Stop>> Machine::resume(Task& task, Resume how, CounterInterrupt then) {
  for (;;) {
    TMREC_TRY(auto stop, run(task, how, then));
    if (stop && enters_jump(task, *stop)) continue;
    TMREC_CHECKED(leave_detour(task, stop));
    return stop;
  }
}

// A task came to an instruction that a jump has displaced: it goes on in the copy.
bool Machine::enters_jump(Task& task, const Stop& stop) const {
  const bool may_be =
      stop.kind == Stop::Kind::Signal && (stop.signal == SIGTRAP || stop.signal == SIGILL || stop.signal == SIGSEGV);
  if (!may_be) return false;
  const std::uint64_t at = task.regs.rip - (stop.signal == SIGTRAP ? 1 : 0);
  if (std::ranges::any_of(traps_, [&](const Trap& trap) { return trap.at == at && !trap.detour; })) return false;
  for (const Trap& trap : traps_) {
    const auto copy = trap.detour ? trap.detour->copy_of(at) : std::nullopt;
    if (!copy) continue;
    if (stop.signal == SIGTRAP && task.stub->siginfo().si_code != SI_KERNEL) return false;  // no int3
    task.regs.rip = *copy;
    return true;
  }
  return false;
}

// To the instruction of the program's that comes next; to the trap, if the condition may be true.
Result<void> Machine::leave_detour(Task& task, std::optional<Stop>& stop) {
  const auto over =
      std::ranges::find_if(traps_, [&](const Trap& trap) { return trap.detour && trap.detour->covers(task.regs.rip); });
  if (over == traps_.end()) return {};
  const std::shared_ptr<const Detour> detour = over->detour;
  const auto work_failed = [&](const Stop& by) {
    return by.kind == Stop::Kind::Signal && (by.signal == SIGSEGV || by.signal == SIGBUS) &&
           task.regs.rip >= detour->work && task.regs.rip < detour->worked;
  };
  const auto undo_work = [&]() -> Result<void> {
    const auto before = regs_in_detour(*detour, task.space->memory(), task.area, task.regs);
    if (!before) return fail(ErrorKind::Desync, fmt::format("task {} has lost its area", task.tid.value));
    task.regs = *before;
    return {};
  };
  const bool asks =
      stop && stop->kind == Stop::Kind::Signal && stop->signal == SIGTRAP && task.regs.rip == detour->asks + 1;
  if (asks || (stop && work_failed(*stop))) {
    if (!asks) TMREC_CHECKED(undo_work());
    task.regs.rip = detour->place + 1;
    stop = Stop{.kind = Stop::Kind::Signal, .signal = SIGTRAP};
    return {};
  }
  while (detour->covers(task.regs.rip)) {
    const auto original = detour->original_of(task.regs.rip);
    if (original || task.regs.rip == detour->asks) {
      task.regs.rip = original.value_or(detour->place);
      return {};
    }
    TMREC_TRY(const std::optional<Stop> led_to, step(task));
    if (led_to && work_failed(*led_to)) return undo_work();
    if (led_to) return fail(ErrorKind::Desync, fmt::format("task {} does not come off a detour", task.tid.value));
  }
  return {};
}

void Machine::insert(const Task& task, std::uint64_t at, std::shared_ptr<const Detour> detour) {
  const auto byte = task.space->memory().get<std::uint8_t>(RemoteAddr(at));
  if (!byte) return;
  traps_.push_back({at, *byte, std::move(detour)});
  put(task, traps_.back());
}

void Machine::put(const Task& task, const Trap& trap) {
  const tracee::RemoteMemory& memory = task.space->memory();
  if (trap.detour) {
    memory.write(trap.at, trap.detour->jump.data(), trap.detour->jump.size());
  } else {
    memory.write(trap.at, &kTrapInstruction, 1);
  }
}

void Machine::take_away(const Task& task, const Trap& trap) {
  const tracee::RemoteMemory& memory = task.space->memory();
  if (trap.detour) {
    memory.write(trap.at, trap.detour->displaced.data(), trap.detour->displaced.size());
  } else {
    memory.write(trap.at, &trap.byte, 1);
  }
}

bool Machine::has_trapped(Task& task, const Stop& stop) const {
  if (stop.kind != Stop::Kind::Signal || stop.signal != SIGTRAP) return false;
  const bool here = std::ranges::any_of(traps_, [&](const Trap& trap) { return trap.at == task.regs.rip - 1; });
  if (here) task.regs.rip -= 1;
  return here;
}

Result<std::optional<Stop>> Machine::step_off_trap(Task& task) {
  const std::uint64_t at = task.regs.rip;
  const Trap here = *std::ranges::find(traps_, at, &Trap::at);
  take_away(task, here);
  std::erase_if(traps_, [&](const Trap& trap) { return trap.at == at; });
  auto stop = step_among_traps(task);
  put(task, here);
  traps_.push_back(here);
  return stop;
}

// A repeated string instruction has a trap of its own behind it, and takes all of them away.
Result<std::optional<Stop>> Machine::step_among_traps(Task& task) {
  const std::vector<Trap> traps = traps_;
  auto stop = step(task);
  if (traps_.empty()) std::ranges::for_each(traps, [&](const Trap& trap) { put(task, trap); });
  traps_ = traps;
  return stop;
}

// In the reverse order: where two are in one place, the later one has found the earlier.
std::vector<Machine::Trap> Machine::remove_traps(const Task& task) {
  for (auto trap = traps_.rbegin(); trap != traps_.rend(); ++trap) {
    take_away(task, *trap);
  }
  return std::exchange(traps_, {});
}

std::optional<Stop> Machine::moved_by(Task& task, const Stop& stop) {
  if (is_interruption(stop)) return std::nullopt;
  if (stop.kind != Stop::Kind::Signal) return stop;
  if (stop.signal == kStepped.signal) return std::nullopt;
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
    TMREC_TRY(const auto stop, run(task, how));
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
    const bool signal = stop && stop->kind == Stop::Kind::Signal;
    const bool trapped = signal && task.regs.rip == behind + 1;
    // It was passed by the fence, or its last round has touched a watched word.
    const bool passed = signal && task.regs.rip == behind && !moved_by(task, *stop);
    const bool done = trapped || passed;
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
