// System calls at replay: the task runs to the call, its registers and what it read are compared, and what the kernel
// did then is done again from the log. The counterpart of recorder/calls.cc.
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>

#include <fmt/format.h>

#include "replayer/session.h"
#include "syscalls/decide.h"
#include "syscalls/effects.h"

namespace tmrec::replayer {

using tracee::Stop;

namespace {

void write_fully(int fd, const Bytes& bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    ssize_t n = write(fd, bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;  // nobody reads: the replay goes on
    done += static_cast<std::size_t>(n);
  }
}

}  // namespace

// The kernel makes an interrupted call again by stepping back onto the syscall instruction (arch_do_signal_or_restart,
// arch/x86/kernel/signal.c).
void Session::restart_call(Task& task) {
  constexpr std::int64_t kRestartBlock = -516;
  bool by_block = static_cast<std::int64_t>(task.regs.rax) == kRestartBlock;
  task.regs.rax = by_block ? SYS_restart_syscall : task.regs.orig_rax;
  task.regs.rip -= 2;
  task.restarts = false;
}

Result<void> Session::reach_call(Task& task, const Regs& expected, Before before) {
  const bool rewound = before != Before::No;
  if (task.restarts) restart_call(task);
  TMREC_TRY(const Reached reached, run(task));
  const Stop& stop = reached.stop;
  Regs there = task.regs;
  if (reached.question != agent::Question::None) {
    TMREC_TRY(const agent::Asked at, asked(task));
    return fail(ErrorKind::Desync,
                fmt::format("expected a system call at {:#x}, came to a {} at {:#x}", expected.rip,
                            reached.question == agent::Question::Tick ? "tick" : "special instruction", at.regs.rip));
  }
  if (stop.kind == Stop::Kind::Syscall && rewound) {
    there.rip -= 2;
    there.rax = there.orig_rax;
    if (before == Before::InProgram) there = task.space->patches.program_view(task.space->memory(), task.area, there);
  }
  if (stop.kind != Stop::Kind::Syscall) {
    actual_regs_ = there;
    expected_regs_ = expected;
    return fail(ErrorKind::Desync, fmt::format("expected a system call at {:#x}, came to {} at {:#x}", expected.rip,
                                               tracee::describe(stop), there.rip));
  }
  TMREC_CHECKED(same_regs("at a system call", there, expected));
  if (!rewound && there.orig_rax != expected.orig_rax) {
    return fail(ErrorKind::Desync, fmt::format("system call {} instead of {}", there.orig_rax, expected.orig_rax));
  }
  return {};
}

Result<void> Session::apply_to(Task& task, const SyscallEvent& event) {
  using Phase = SyscallEvent::Phase;
  if (event.phase == Phase::Exit) {
    if (!task.in_call) return fail(ErrorKind::BadTrace, "the end of a system call that was not begun");
    return leave_call(task, event);
  }
  if (task.in_call) return fail(ErrorKind::BadTrace, "a system call inside another");
  TMREC_CHECKED(enter_call(task, event));
  if (event.phase == Phase::Enter) {
    task.in_call = true;
    return write_extents(task, event.extents);
  }
  return leave_call(task, event);
}

Result<void> Session::enter_call(Task& task, const SyscallEvent& event) {
  TMREC_CHECKED(reach_call(task, event.regs, Before::No));
  return check_inputs(task, event);
}

Result<void> Session::check_inputs(Task& task, const SyscallEvent& event) {
  for (const Extent& extent : event.extents) {
    if (!extent.input) continue;
    Bytes actual = task.space->memory().read_some(extent.addr, extent.bytes.size());
    if (actual == extent.bytes) continue;
    std::size_t at = 0;
    while (at < actual.size() && actual[at] == extent.bytes[at]) ++at;
    return fail(ErrorKind::Desync, fmt::format("memory read by the call differs at {:#x} ({} of {} bytes)",
                                               extent.addr.value + at, at, extent.bytes.size()));
  }
  return {};
}

Result<void> Session::write_extents(Task& task, const std::vector<Extent>& extents) {
  for (const Extent& extent : extents) {
    if (extent.input) continue;
    if (task.space->write(extent.addr, extent.bytes)) continue;
    // A call that failed half-way may be recorded with more memory than it could write to.
    if (task.space->memory().read_some(extent.addr, extent.bytes.size()) != extent.bytes) {
      return fail(ErrorKind::Desync, fmt::format("memory at {:#x} ({} bytes), written at recording, is not there",
                                                 extent.addr.value, extent.bytes.size()));
    }
  }
  return {};
}

Result<void> Session::leave_call(Task& task, const SyscallEvent& event) {
  syscalls::Call call = syscalls::call_of(event.regs);
  repeat_output(task, event);
  if (syscalls::decide(call).policy == syscalls::Policy::Memory) {
    TMREC_CHECKED(task.space->perform(*task.stub, call.nr, call.args, event.ret, event.mapping, objects_));
  }
  TMREC_CHECKED(write_extents(task, event.extents));
  follow_stack_limit(task, call, event.ret);
  for (const FileChange& change : event.changes) TMREC_CHECKED(objects_.change(change));
  if (event.after) {
    task.regs = *event.after;
  } else {
    task.regs = event.regs;
    task.regs.rax = static_cast<std::uint64_t>(event.ret);
  }
  if (!event.xstate.empty()) task.stub->set_xstate(event.xstate);
  task.in_call = false;
  task.restarts = syscalls::was_interrupted(event.ret) && event.ret != -EINTR &&
                  syscalls::decide(call).policy != syscalls::Policy::Sigreturn;
  return {};
}

// How far a stack grows before an access below it faults depends on the limit.
void Session::follow_stack_limit(Task& task, const syscalls::Call& call, std::int64_t ret) {
  bool sets = ret == 0 && ((call.nr == SYS_setrlimit && call.args[0] == RLIMIT_STACK) ||
                           (call.nr == SYS_prlimit64 && call.args[1] == RLIMIT_STACK && call.args[2] != 0));
  if (!sets) return;
  auto wanted = task.space->memory().get<rlimit>(RemoteAddr(call.nr == SYS_setrlimit ? call.args[1] : call.args[2]));
  struct rlimit now{};
  if (!wanted || prlimit(task.stub->tid(), RLIMIT_STACK, nullptr, &now) < 0) return;
  now.rlim_cur = std::min(wanted->rlim_cur, now.rlim_max);
  prlimit(task.stub->tid(), RLIMIT_STACK, &now, nullptr);
}

void Session::repeat_output(Task& task, const SyscallEvent& event) {
  if (!echo_ || event.stream == Stream::None || event.ret <= 0) return;
  int fd = event.stream == Stream::Stdout ? STDOUT_FILENO : STDERR_FILENO;
  if (!event.stream_bytes.empty()) return write_fully(fd, event.stream_bytes);
  struct Writer {
    const tracee::RemoteMemory& memory;
    int fd;
    void input(std::uint64_t, std::uint64_t) {}
    void output(std::uint64_t addr, std::uint64_t size) {
      write_fully(fd, memory.read_some(RemoteAddr(addr), static_cast<std::size_t>(size)));
    }
  } writer{task.space->memory(), fd};
  syscalls::written_data(syscalls::call_of(event.regs), event.ret, task.space->memory(), writer);
}

}  // namespace tmrec::replayer
