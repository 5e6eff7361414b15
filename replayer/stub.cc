#include "replayer/stub.h"

#include <asm/prctl.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include <fmt/format.h>

#include "tracee/broken.h"
#include "tracee/proc.h"
#include "tracee/remote_call.h"

namespace tmrec::replayer {

namespace {

constexpr std::uint64_t kUserSpaceEnd = 0x7fff'ffff'f000;  // TASK_SIZE_MAX, arch/x86/include/asm/page_64_types.h
constexpr long kOptions = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_EXITKILL;

// In the forked child. Nothing of libc's may be written to by the kernel later, when it is no longer mapped.
[[noreturn]] void become_stub() {
  syscall(SYS_set_tid_address, nullptr);
  syscall(SYS_set_robust_list, nullptr, sizeof(robust_list_head));
  if (__rseq_size != 0) {
    auto* area = static_cast<char*>(__builtin_thread_pointer()) + __rseq_offset;
    syscall(SYS_rseq, area, sizeof(struct rseq), RSEQ_FLAG_UNREGISTER, RSEQ_SIG);
  }
  setpgid(0, 0);  // out of reach of the terminal
  prctl(PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0);
  void* page = mmap(reinterpret_cast<void*>(kStubPage), kStubSize, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  if (page == MAP_FAILED) _exit(1);
  constexpr std::uint8_t kGadget[] = {0x0f, 0x05, 0xcc};
  std::memcpy(page, kGadget, sizeof kGadget);
  // The program must not change what calls the kernel for us.
  if (mprotect(page, kPageSize, PROT_READ | PROT_EXEC) != 0) _exit(1);
  syscall(SYS_close_range, 0, ~0u, 0);
  for (;;) kill(getpid(), SIGSTOP);
}

}  // namespace

Result<tracee::Stopped> new_stub(bool trap_cpuid) {
  pid_t pid = fork();
  if (pid < 0) return fail_errno("cannot start a process to replay in");
  if (pid == 0) become_stub();
  if (ptrace(PTRACE_SEIZE, pid, 0, kOptions) < 0) {
    int err = errno;
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
    return fail_errno("cannot trace a process to replay in", err, ErrorKind::Machine);
  }
  tracee::Stop stop;
  do {
    stop = tracee::await_stop(pid);
    if (stop.kind == tracee::Stop::Kind::Exited) {
      return fail(ErrorKind::Machine, "a process to replay in ended before it was ready");
    }
    if (stop.kind != tracee::Stop::Kind::Signal || stop.signal != SIGSTOP) {
      tracee::Stopped other = tracee::Running(pid).stopped();
      int signal = stop.kind == tracee::Stop::Kind::Signal ? stop.signal : 0;
      std::move(other).resume(tracee::Resume::Continue, signal);
    }
  } while (stop.kind != tracee::Stop::Kind::Signal || stop.signal != SIGSTOP);
  tracee::Stopped stub = tracee::Running(pid).stopped();
  if (call_in_stub(stub, SYS_munmap, {0, kStubPage}) != 0 ||
      call_in_stub(stub, SYS_munmap, {kStubPage + kStubSize, kUserSpaceEnd - kStubPage - kStubSize}) != 0) {
    return fail(ErrorKind::System, "cannot empty a process to replay in");
  }
  if (trap_cpuid) call_in_stub(stub, SYS_arch_prctl, {ARCH_SET_CPUID, 0});
  return stub;
}

namespace {

// No exit signal: the end of a stub must not reach its parent as SIGCHLD.
Result<tracee::Stopped> clone_by(tracee::Stopped& parent, std::uint64_t flags) {
  std::int64_t made = call_in_stub(parent, SYS_clone, {flags, 0, 0, 0, 0});
  if (made < 0) return fail_errno("cannot create a task to replay in", static_cast<int>(-made));
  auto tid = static_cast<pid_t>(made);
  if (tracee::await_stop(tid).kind == tracee::Stop::Kind::Exited)
    return fail(ErrorKind::System, "a new task ended at once");
  return tracee::Running(tid).stopped();
}

}  // namespace

Result<tracee::Stopped> clone_stub(tracee::Stopped& parent, bool shares_memory) {
  constexpr std::uint64_t kThread = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
  return clone_by(parent, shares_memory ? kThread : 0);
}

// As a child of the stub it would stay behind as a zombie that nobody waits for.
Result<tracee::Stopped> fork_stub(tracee::Stopped& task) { return clone_by(task, CLONE_PARENT); }

void end_stub(tracee::Stopped task) {
  pid_t tid = task.tid();
  try {
    Regs regs = task.regs();
    regs.rip = kStubGadget.value;
    regs.rax = SYS_exit;
    regs.rdi = 0;
    regs.orig_rax = ~std::uint64_t{0};
    task.set_regs(regs);
    std::move(task).resume(tracee::Resume::Continue);
    for (;;) {
      int status = 0;
      pid_t done = waitpid(tid, &status, __WALL | WNOHANG);
      if (done < 0 || (done == tid && !WIFSTOPPED(status))) return;
      if (done == tid) std::move(tracee::Running(tid)).stopped().detach();
      // A leader with living threads stays a zombie that waitpid does not report.
      auto state = tracee::task_state(tid);
      if (!state || *state == 'X') return;
      if (*state == 'Z') {
        waitpid(tid, &status, __WALL | WNOHANG);
        return;
      }
      sched_yield();
    }
  } catch (const tracee::TaskDied&) {
  }
}

std::optional<tracee::Stop> run_stub(tracee::Stopped& task, tracee::Resume how, std::chrono::nanoseconds limit,
                                     const std::function<bool()>& give_up) {
  tracee::Running running = std::move(task).resume(how);
  const pid_t tid = running.tid();
  std::optional<std::chrono::nanoseconds> used_before;  // up to the first look, half a second after the start at most
  bool overdue = false;
  int status = 0;
  while (waitpid(tid, &status, __WALL) < 0) {
    if (errno != EINTR) throw tracee::TaskDied{tid};
    if (overdue) continue;
    const auto used = tracee::cpu_time(tid);
    if (used && !used_before) used_before = used;
    overdue = (used && *used - *used_before > limit) || (give_up && give_up());
    if (overdue) running.interrupt();
  }
  const tracee::Stop stop = tracee::decode_wait_status(status);
  if (stop.kind == tracee::Stop::Kind::Exited) throw tracee::TaskDied{tid};
  task = std::move(running).stopped();
  // A stop of its own that came first is what counts; the other one follows when the task is resumed.
  if (overdue && (!give_up || is_interruption(stop))) return std::nullopt;
  return stop;
}

std::int64_t call_in_stub(tracee::Stopped& task, std::int64_t number, std::initializer_list<std::uint64_t> args) {
  return tracee::remote_call(task, kStubGadget, number, args);
}

Result<int> open_in_stub(tracee::Stopped& task, const tracee::RemoteMemory& memory, int fd, int flags) {
  std::string path = fmt::format("/proc/{}/fd/{}", getpid(), fd);
  if (!memory.write(kStubScratch.value, path.c_str(), path.size() + 1)) {
    return fail(ErrorKind::System, "cannot write to a process to replay in");
  }
  std::int64_t opened = call_in_stub(task, SYS_open, {kStubScratch.value, static_cast<std::uint64_t>(flags), 0});
  if (opened < 0) return fail_errno("cannot open " + path + " in a process to replay in", static_cast<int>(-opened));
  return static_cast<int>(opened);
}

}  // namespace tmrec::replayer
