#include "tracee/remote_call.h"

#include <cerrno>
#include <sys/wait.h>

#include "tracee/broken.h"

namespace tmrec::tracee {

namespace {

Stop wait_for(pid_t tid) {
  int status = 0;
  for (;;) {
    if (waitpid(tid, &status, __WALL) == tid) return decode_wait_status(status);
    if (errno != EINTR) throw TaskDied{tid};
  }
}

}  // namespace

std::int64_t remote_call(Stopped& task, RemoteAddr gadget, std::int64_t number, std::initializer_list<std::uint64_t> args,
                         std::vector<siginfo_t>* arrived) {
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
    Stop stop = wait_for(running.tid());
    if (stop.kind == Stop::Kind::Exited) throw TaskDied{running.tid()};
    task = std::move(running).stopped();
    if (stop.kind == Stop::Kind::Exiting) throw TaskDied{task.tid()};
    if (stop.kind != Stop::Kind::Signal) continue;
    regs = task.regs();
    if (stop.signal == SIGTRAP && regs.rip == done_at) return static_cast<std::int64_t>(regs.rax);
    const siginfo_t info = task.siginfo();
    // It would be raised again for ever.
    if (info.si_code > 0 && regs.rip == gadget.value) throw_broken("the code for remote calls is gone");
    if (arrived != nullptr) arrived->push_back(info);
  }
}

}  // namespace tmrec::tracee
