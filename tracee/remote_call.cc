#include "tracee/remote_call.h"

#include <sched.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>
#include <limits>

#include <algorithm>

#include "tracee/agent/agent.h"
#include "tracee/broken.h"
#include "tracee/call_room.h"
#include "tracee/fork_room.h"
#include "tracee/interrupted.h"
#include "tracee/proc.h"

namespace tmrec::tracee {

namespace {

void set_arguments(Regs& regs, std::int64_t number, std::initializer_list<std::uint64_t> args) {
  regs.rax = static_cast<std::uint64_t>(number);
  regs.orig_rax = ~std::uint64_t{0};  // no restart of whatever call the task was in
  std::uint64_t* slots[] = {&regs.rdi, &regs.rsi, &regs.rdx, &regs.r10, &regs.r8, &regs.r9};
  std::size_t i = 0;
  for (std::uint64_t arg : args) *slots[i++] = arg;
}

constexpr std::uint64_t kSyscallLength = 2;

// Through the call's entry stop to its exit stop. A task that stood in another call leaves that first; a seccomp filter
// has then judged the number -1, and may have left an error in place of ours.
Regs run_through_call(Stopped& task, const Regs& in_front, std::vector<siginfo_t>* arrived, pid_t* born = nullptr) {
  task.set_regs(in_front);
  for (int stops = 0; stops < 2;) {
    Running running = std::move(task).resume(Resume::ToSyscall);
    const Stop stop = await_stop(running.tid());
    if (stop.kind == Stop::Kind::Exited) throw TaskDied{running.tid()};
    task = std::move(running).stopped();
    if (stop.kind == Stop::Kind::Exiting) throw TaskDied{task.tid()};
    if (stop.kind == Stop::Kind::Syscall) {
      const std::uint64_t rip = task.regs().rip;
      stops += rip == in_front.rip + kSyscallLength ? 1 : 0;
      if (rip == in_front.rip) task.set_regs(in_front);
    }
    if (stop.kind == Stop::Kind::Clone && born != nullptr) *born = static_cast<pid_t>(task.event_message());
    if (stop.kind != Stop::Kind::Signal) continue;
    const siginfo_t info = task.siginfo();
    if (raised_by_instruction(info)) throw_broken("the code for remote calls is gone");  // it would be raised for ever
    if (arrived != nullptr) arrived->push_back(info);
  }
  return task.regs();
}

enum class SavedBy { Agent, Room, Nobody };

// What the task goes on with, left alone.
SavedBy save(const RemoteMemory& memory, RemoteAddr gadget, const Regs& before) {
  const Regs alone = restarted(before);
  if (agent::is_area(before.gs_base) && agent::save_regs(memory, RemoteAddr(before.gs_base), alone))
    return SavedBy::Agent;
  return save_in_call_room(memory, gadget, alone) ? SavedBy::Room : SavedBy::Nobody;
}

}  // namespace

std::int64_t recorded_call(Stopped& task, const RemoteMemory& memory, RemoteAddr gadget, std::int64_t number,
                           std::initializer_list<std::uint64_t> args, std::vector<siginfo_t>* arrived) {
  const Regs before = task.regs();
  Regs regs = before;
  const SavedBy saved = save(memory, gadget, before);
  const bool on_stack = saved == SavedBy::Nobody;
  const std::uint64_t word = before.rsp - 8;
  std::uint64_t was_there = 0;
  if (on_stack &&
      (!memory.read(word, &was_there, sizeof was_there) || !memory.write(word, &before.rip, sizeof before.rip))) {
    throw_broken("no stack for a remote call");
  }
  regs.rip = saved == SavedBy::Agent ? agent::call_address().value : gadget.value;
  set_arguments(regs, number, args);
  const Regs after = run_through_call(task, regs, arrived);
  if (on_stack) memory.write(word, &was_there, sizeof was_there);
  return static_cast<std::int64_t>(after.rax);
}

Forked recorded_fork(Stopped& task, const RemoteMemory& memory, RemoteAddr vdso, std::uint64_t size, RemoteAddr gadget,
                     std::vector<siginfo_t>* arrived) {
  const Regs before = task.regs();
  const SavedBy saved = save(memory, gadget, before);
  if (saved == SavedBy::Nobody) return {};
  const RemoteAddr parent = saved == SavedBy::Agent ? agent::call_address() + kSyscallLength : behind_call_in(gadget);
  const auto room = make_fork_room(memory, vdso, size, parent);
  if (!room) return {};
  Regs regs = before;
  regs.rip = room->value;
  set_arguments(regs, SYS_clone, {CLONE_FILES | CLONE_FS, 0, 0, 0, 0});
  Forked forked;
  constexpr std::int64_t kSignalCameFirst = -513;  // ERESTARTNOINTR of the kernel
  constexpr int kTries = 3;
  std::int64_t result = kSignalCameFirst;
  for (int i = 0; i < kTries && result == kSignalCameFirst; ++i) {
    result = static_cast<std::int64_t>(run_through_call(task, regs, arrived, &forked.pid).rax);
  }
  task.set_regs(before);
  if (result < 0) forked.error = result;
  if (forked.pid == 0) return forked;
  forked.known_as = static_cast<pid_t>(result);
  int status = 0;
  while (waitpid(forked.pid, &status, __WALL) < 0 && errno == EINTR) {
  }
  // Nothing else of it is to be heard of.
  if (!WIFSTOPPED(status) || ptrace(PTRACE_SETOPTIONS, forked.pid, 0, PTRACE_O_EXITKILL) < 0) {
    kill(forked.pid, SIGKILL);
    forked.pid = 0;
  }
  return forked;
}

std::vector<std::int64_t> recorded_calls(Stopped& task, const RemoteMemory& memory, std::span<const WantedCall> calls,
                                         std::vector<siginfo_t>& arrived) {
  const Regs before = task.regs();
  const RemoteAddr area(before.gs_base);
  constexpr std::int64_t kNotMade = std::numeric_limits<std::int64_t>::min();
  std::vector<agent::ScriptCall> script;
  for (const WantedCall& call : calls) {
    script.push_back({call.number, {}, kNotMade});
    std::ranges::copy(call.args, script.back().args);
  }
  script.push_back({agent::kEndOfScript, {}, 0});
  if (!agent::prepare_script(memory, area, restarted(before), script)) throw_broken("the agent's memory is gone");
  Regs regs = before;
  regs.rip = agent::script_address().value;
  regs.orig_rax = ~std::uint64_t{0};
  task.set_regs(regs);
  for (;;) {
    Running running = std::move(task).resume(Resume::Continue);
    const Stop stop = await_stop(running.tid());
    if (stop.kind == Stop::Kind::Exited) throw TaskDied{running.tid()};
    task = std::move(running).stopped();
    if (stop.kind == Stop::Kind::Exiting) throw TaskDied{task.tid()};
    if (stop.kind != Stop::Kind::Signal) continue;
    const siginfo_t info = task.siginfo();
    if (agent::is_dispatch(info) && agent::question_of(task.regs()) == agent::Question::Script) break;
    if (raised_by_instruction(info)) throw_broken("the code for remote calls is gone");
    arrived.push_back(info);
  }
  regs = before;
  regs.fs_base = task.regs().fs_base;
  task.set_regs(regs);
  std::vector<std::int64_t> results;
  if (!memory.read(area.value + agent::kScript, script.data(), script.size() * sizeof script[0])) return results;
  for (const agent::ScriptCall& call : script) {
    if (call.result == kNotMade || call.number == agent::kEndOfScript) break;
    results.push_back(call.result);
    if (is_error(call.result)) break;
  }
  return results;
}

std::int64_t remote_call(Stopped& task, RemoteAddr gadget, std::int64_t number,
                         std::initializer_list<std::uint64_t> args, std::vector<siginfo_t>* arrived) {
  Regs regs = task.regs();
  regs.rip = gadget.value;
  set_arguments(regs, number, args);
  task.set_regs(regs);
  const std::uint64_t done_at = gadget.value + 3;  // behind the int3
  for (;;) {
    Running running = std::move(task).resume(Resume::Continue);
    Stop stop = await_stop(running.tid());
    if (stop.kind == Stop::Kind::Exited) throw TaskDied{running.tid()};
    task = std::move(running).stopped();
    if (stop.kind == Stop::Kind::Exiting) throw TaskDied{task.tid()};
    if (stop.kind != Stop::Kind::Signal) continue;
    regs = task.regs();
    if (stop.signal == SIGTRAP && regs.rip == done_at) return static_cast<std::int64_t>(regs.rax);
    const siginfo_t info = task.siginfo();
    // It would be raised again for ever.
    if (raised_by_instruction(info)) throw_broken("the code for remote calls is gone");
    if (arrived != nullptr) arrived->push_back(info);
  }
}

void queue_signals(Stopped& task, const RemoteMemory& memory, RemoteAddr gadget,
                   const std::vector<siginfo_t>& signals) {
  auto leader = thread_group_of(task.tid());
  if (!leader || signals.empty()) return;
  const std::uint64_t mask = task.signal_mask();
  task.set_signal_mask(~std::uint64_t{0});
  constexpr std::uint64_t kBelowRedZone = 512;  // System V ABI 3.2.2: 128 bytes below rsp are in use
  const std::uint64_t at = (task.regs().rsp - kBelowRedZone) & ~std::uint64_t{15};
  siginfo_t there{};
  const bool readable = memory.read(at, &there, sizeof there);
  for (const siginfo_t& info : signals) {
    if (!memory.write(at, &info, sizeof info)) break;
    recorded_call(task, memory, gadget, SYS_rt_tgsigqueueinfo,
                  {static_cast<std::uint64_t>(*leader), static_cast<std::uint64_t>(task.tid()),
                   static_cast<std::uint64_t>(info.si_signo), at});
  }
  if (readable) memory.write(at, &there, sizeof there);
  task.set_signal_mask(mask);
}

}  // namespace tmrec::tracee
