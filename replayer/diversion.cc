#include "replayer/diversion.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#include <algorithm>
#include <csignal>
#include <cstring>

#include <fmt/format.h>

#include "gdbstub/registers.h"
#include "replayer/program_code.h"
#include "replayer/stub.h"
#include "syscalls/table.h"
#include "tracee/instruction.h"

namespace tmrec::replayer {

using tracee::Resume;
using tracee::Stop;

namespace {

// Far more than a diversion makes: it has no ticks to stop at.
constexpr std::uint64_t kEndless = std::uint64_t{1} << 61;

}  // namespace

Diversion::Diversion(std::unique_ptr<Session> copy, Tid process) : session_(std::move(copy)), process_(process) {
  for (const auto& [tid, task] : session_->tasks()) {
    task->counter.reset();  // a source of interruptions, and nobody counts
    if (task->process == process)
      before_.push_back(
          {tid, task->regs, session_->program_view(*task), task->stub->xstate(), task->in_call, task->restarts});
  }
}

Result<void> Diversion::set_registers(Task& task, const Regs& view) {
  const Regs now = session_->program_view(task);
  Regs wanted = view;
  // The agent's, or a place in a trampoline, which the debugger does not see.
  if (task.area.value != 0) wanted.gs_base = task.regs.gs_base;
  if (view.rip == now.rip) {
    wanted.rip = task.regs.rip;
  } else {
    const auto places = ProgramCode(task.space->patches).places(view.rip);
    if (!places.empty()) wanted.rip = places.back();
    task.in_call = false;
    task.restarts = false;
  }
  wanted.orig_rax = task.in_call ? task.regs.orig_rax : ~std::uint64_t{0};
  const auto original = std::ranges::find(before_, task.tid, &Before::tid);
  // Back where it was, it stands in its call again.
  if (original != before_.end() && view.rip == original->view.rip && view.rsp == original->view.rsp) {
    wanted.rip = original->regs.rip;
    task.in_call = original->in_call;
    task.restarts = original->restarts;
    wanted.orig_rax = original->regs.orig_rax;
  }
  task.regs = wanted;
  active_ = task.tid;
  return {};
}

Result<void> Diversion::set_extended(Task& task, const Bytes& state) {
  try {
    task.stub->set_xstate(state);
  } catch (const tracee::ImpossibleState& impossible) {
    return fail(ErrorKind::Usage, std::string("these registers can't have such values: ") + impossible.what);
  }
  active_ = task.tid;
  return {};
}

Result<void> Diversion::write_memory(Task& task, RemoteAddr to, const Bytes& bytes) {
  if (task.space->write(to, bytes)) return {};
  return fail(ErrorKind::Usage, fmt::format("no memory of the program's at {:#x}", to.value));
}

// Not by the bytes of the area: a component in its initial state may be there, or be left out.
bool Diversion::registers_are_back() const {
  return std::ranges::all_of(before_, [&](const Before& before) {
    const Task* task = session_->find(before.tid);
    if (task == nullptr || !(session_->program_view(*task) == before.view)) return false;
    const gdbstub::RegisterLayout layout(before.extended);
    return layout.all({before.view, before.extended}) == layout.all({before.view, task->stub->xstate()});
  });
}

std::string Diversion::take_output() { return std::exchange(output_, {}); }

bool Diversion::stops_at(const Task& task, std::uint64_t rip, const Run& how) const {
  return std::ranges::binary_search(how.breakpoints, ProgramCode(task.space->patches).program_address(rip));
}

Result<Diversion::Halt> Diversion::run(Task& task, const Run& how) {
  active_ = task.tid;
  machine_.give_up = how.give_up;
  machine_.left = false;
  if (task.in_call) {  // nobody knows how it would have ended
    task.in_call = task.restarts = false;
    task.regs.rax = static_cast<std::uint64_t>(-EINTR);
  }
  const ProgramCode code(task.space->patches);
  if (!code.is_boundary(task.regs.rip)) {
    TMREC_TRY(const auto stop, machine_.step_to_boundary(task));
    if (stop) {
      TMREC_TRY(const auto halt, after(task, *stop));
      if (halt) return *halt;
    }
  }
  for (;;) {
    std::optional<Stop> stop;
    if (how.step) {
      TMREC_TRY(stop, machine_.step_to_boundary(task));
    } else {
      for (const std::uint64_t program : how.breakpoints) {
        for (const std::uint64_t at : code.places(program)) machine_.insert(task, at);
      }
      auto stopped = machine_.resume(task, Resume::EmulateCalls);
      const auto traps = machine_.remove_traps(task);
      if (!stopped) return std::unexpected(stopped.error());
      stop = *stopped;
      const bool trapped = stop && stop->kind == Stop::Kind::Signal && stop->signal == SIGTRAP &&
                           std::ranges::any_of(traps, [&](const auto& trap) { return trap.at == task.regs.rip - 1; });
      if (trapped) {
        task.regs.rip -= 1;
        return Halt{.kind = Halt::Kind::Breakpoint, .signal = 0, .siginfo = {}};
      }
      if (stop) stop = Machine::moved_by(task, *stop);
    }
    if (stop) {
      TMREC_TRY(const auto halt, after(task, *stop));
      // The stack is not executable: a function that returns to a breakpoint there faults.
      const bool returned = halt && halt->kind == Halt::Kind::Signal && stops_at(task, task.regs.rip, how);
      if (returned) return Halt{.kind = Halt::Kind::Breakpoint, .signal = 0, .siginfo = {}};
      if (halt) return *halt;
    }
    if (machine_.left || (how.give_up && how.step && how.give_up())) {
      if (!code.is_boundary(task.regs.rip)) {
        TMREC_TRY([[maybe_unused]] const auto on_the_way, machine_.step_to_boundary(task));
      }
      return Halt{.kind = Halt::Kind::Asked, .signal = 0, .siginfo = {}};
    }
    if (!how.step) continue;
    const std::uint64_t pc = code.program_address(task.regs.rip);
    if (pc < how.range_begin || pc >= how.range_end) return Halt{};
    if (stops_at(task, task.regs.rip, how)) return Halt{.kind = Halt::Kind::Breakpoint, .signal = 0, .siginfo = {}};
  }
}

// nullopt: it goes on.
Result<std::optional<Diversion::Halt>> Diversion::after(Task& task, const Stop& stop) {
  if (stop.kind == Stop::Kind::Signal) return on_signal(task, stop);
  if (stop.kind != Stop::Kind::Syscall) return std::nullopt;
  const auto question = task.area.value != 0 ? agent::question_of(task.regs) : agent::Question::None;
  if (question == agent::Question::None) return answer(task);
  TMREC_TRY(const agent::Asked at, session_->asked(task));
  task.regs = at.regs;
  if (question == agent::Question::Tick) {
    TMREC_CHECKED(session_->count_down(task, kEndless));
  } else if (const tracee::PatchedModule* module = task.space->patches.with_block(at.block);
             question == agent::Question::Special && module != nullptr) {
    task.regs = tracee::answer_special(*module, module->plan->stops[at.stop], at.regs, false).after;
  }
  return std::nullopt;
}

Result<std::optional<Diversion::Halt>> Diversion::on_signal(Task& task, const Stop& stop) {
  const siginfo_t info = task.stub->siginfo();
  if (const auto way_out = agent::failed_copy(task.regs.rip); way_out && stop.signal == SIGSEGV) {
    task.regs.rip = way_out->value;
    return std::nullopt;
  }
  if (const auto special = tracee::trapped_instruction(info, task.regs, task.space->memory())) {
    task.regs = tracee::perform(*special, task.regs);
    return std::nullopt;
  }
  Halt halt{.kind = Halt::Kind::Signal, .signal = stop.signal, .siginfo = Bytes(sizeof info)};
  std::memcpy(halt.siginfo.data(), &info, sizeof info);
  return halt;
}

}  // namespace tmrec::replayer
