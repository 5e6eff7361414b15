// Calls that the agent makes for a supervisor, in a child whose supervisor then leaves it alone.
#include <asm/prctl.h>
#include <doctest/doctest.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <vector>

#include "tracee/agent/agent.h"
#include "tracee/remote_call.h"

namespace tmrec {

namespace {

constexpr int kDone = 42;  // the child's exit status
constexpr RemoteAddr kArea = agent::area(0);

// Other tests of this process may have left something there. Where the ring comes the handler of SIGSYS writes, before
// there is one.
bool map_region() {
  return mmap(reinterpret_cast<void*>(agent::kBase), agent::kSize, PROT_READ | PROT_WRITE | PROT_EXEC,
              MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == reinterpret_cast<void*>(agent::kBase);
}

// The child, as a recorded task is when the agent makes its calls.
[[noreturn]] void live() {
  alarm(20);
  auto memory = tracee::RemoteMemory::open(getpid());
  if (!memory || !map_region() || !agent::install(*memory) || !agent::install_calls(*memory)) _exit(1);
  if (!agent::prepare_area(*memory, kArea, 1000)) _exit(2);
  const agent::Directory& at = agent::directory();
  constexpr std::uint64_t kFlags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | 0x04000000;  // SA_RESTORER
  const std::array<std::uint64_t, 4> action{at.on_sigsys, kFlags, at.restorer, ~std::uint64_t{0}};
  if (syscall(SYS_arch_prctl, ARCH_SET_GS, kArea.value) != 0) _exit(3);
  if (syscall(SYS_rt_sigaction, SIGSYS, action.data(), nullptr, 8) != 0) _exit(4);
  if (syscall(SYS_prctl, agent::kSetSyscallUserDispatch, 1, at.allowed, at.allowed_end - at.allowed,
              kArea.value + agent::kConduct + offsetof(agent::Conduct, dispatch)) != 0)
    _exit(5);
  if (ptrace(PTRACE_TRACEME) != 0) _exit(6);
  raise(SIGSTOP);
  _exit(kDone);
}

tracee::Stopped after_stop(pid_t child, int signal) {
  const tracee::Stop stop = tracee::await_stop(child);
  REQUIRE(stop.kind == tracee::Stop::Kind::Signal);
  REQUIRE(stop.signal == signal);
  return tracee::Running(child).stopped();
}

}  // namespace

TEST_CASE("a call in the handler of SIGSYS leaves a script its way back") {
  const pid_t child = fork();
  if (child == 0) live();
  tracee::Stopped task = after_stop(child, SIGSTOP);
  REQUIRE(ptrace(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL) == 0);
  const auto memory = tracee::RemoteMemory::open(child);
  REQUIRE(memory);

  const std::vector<agent::ScriptCall> script{{SYS_getpid, {}, 0}, {agent::kEndOfScript, {}, 0}};
  Regs regs = task.regs();
  REQUIRE(agent::prepare_script(*memory, kArea, regs, script));
  regs.rip = agent::script_address().value;
  regs.orig_rax = ~std::uint64_t{0};
  task.set_regs(regs);
  (void)std::move(task).resume(tracee::Resume::Continue);
  task = after_stop(child, SIGSYS);
  REQUIRE(agent::question_of(task.regs()) == agent::Question::Script);
  CHECK(memory->get<std::int64_t>(kArea + agent::kScript + offsetof(agent::ScriptCall, result)) == child);

  // Its supervisor has gone: another one finds it where the handler begins.
  (void)std::move(task).resume(tracee::Resume::Step, SIGSYS);
  task = after_stop(child, SIGTRAP);
  const Regs in_handler = task.regs();
  REQUIRE(in_handler.rip == agent::directory().on_sigsys);
  CHECK(tracee::recorded_call(task, *memory, RemoteAddr(0), SYS_getppid, {}) == getpid());
  task.set_regs(in_handler);
  std::move(task).detach();

  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == kDone);
}

}  // namespace tmrec
