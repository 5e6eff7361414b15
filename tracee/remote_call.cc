#include "tracee/remote_call.h"

#include <sys/syscall.h>

#include "tracee/broken.h"
#include "tracee/proc.h"

namespace tmrec::tracee {

std::int64_t remote_call(Stopped& task, RemoteAddr gadget, std::int64_t number,
                         std::initializer_list<std::uint64_t> args, std::vector<siginfo_t>* arrived) {
  Regs regs = task.regs();
  regs.rip = gadget.value;
  regs.rax = static_cast<std::uint64_t>(number);
  regs.orig_rax = ~std::uint64_t{0};  // no restart of whatever call the task was in
  std::uint64_t* slots[] = {&regs.rdi, &regs.rsi, &regs.rdx, &regs.r10, &regs.r8, &regs.r9};
  std::size_t i = 0;
  for (std::uint64_t arg : args) *slots[i++] = arg;
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
    remote_call(task, gadget, SYS_rt_tgsigqueueinfo,
                {static_cast<std::uint64_t>(*leader), static_cast<std::uint64_t>(task.tid()),
                 static_cast<std::uint64_t>(info.si_signo), at});
  }
  if (readable) memory.write(at, &there, sizeof there);
  task.set_signal_mask(mask);
}

}  // namespace tmrec::tracee
