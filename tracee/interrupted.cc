#include "tracee/interrupted.h"

#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>

#include <fmt/format.h>

#include "syscalls/row.h"
#include "tracee/proc.h"

namespace tmrec::tracee {

namespace {

constexpr int kEpollPwait2 = 441;

// They return EINTR where others ask to be made again. Reads and writes do where the socket has a time-out of its own.
constexpr std::array<std::int64_t, 19> kGivesEintr{
    SYS_epoll_wait, SYS_epoll_pwait, kEpollPwait2, SYS_rt_sigtimedwait, SYS_semop,   SYS_semtimedop, SYS_io_getevents,
    SYS_read,       SYS_write,       SYS_readv,    SYS_writev,          SYS_sendto,  SYS_recvfrom,   SYS_sendmsg,
    SYS_recvmsg,    SYS_accept,      SYS_accept4,  SYS_connect,         SYS_recvmmsg};

std::int64_t signed_of(std::uint64_t value) { return static_cast<std::int64_t>(value); }

}  // namespace

std::optional<std::chrono::nanoseconds> last_ran(pid_t tid) {
  const auto text = read_file(fmt::format("/proc/{}/sched", tid));
  const std::size_t at = text ? text->find("se.exec_start") : std::string::npos;
  const std::size_t colon = at == std::string::npos ? at : text->find(':', at);
  if (colon == std::string::npos) return std::nullopt;
  const double milliseconds = std::strtod(text->c_str() + colon + 1, nullptr);
  return std::chrono::nanoseconds(static_cast<std::int64_t>(milliseconds * 1e6));
}

void wait_on(Regs& regs, std::chrono::nanoseconds waited) {
  const std::int64_t call = signed_of(regs.orig_rax);
  if (call < 0 || signed_of(regs.rax) != -EINTR || std::ranges::count(kGivesEintr, call) == 0) return;
  regs.rax = static_cast<std::uint64_t>(syscalls::kRestartNoHand);
  const auto timeout = static_cast<std::int32_t>(regs.r10);
  if ((call == SYS_epoll_wait || call == SYS_epoll_pwait) && timeout > 0) {
    const auto gone = std::max<std::int64_t>(0, std::chrono::duration_cast<std::chrono::milliseconds>(waited).count());
    regs.r10 = static_cast<std::uint64_t>(std::max<std::int64_t>(0, timeout - gone));
  }
}

bool is_interrupted(const Regs& regs) {
  const std::int64_t ret = signed_of(regs.rax);
  return signed_of(regs.orig_rax) >= 0 && syscalls::was_interrupted(ret) && ret != -EINTR;
}

Regs restarted(const Regs& regs) {
  if (!is_interrupted(regs)) return regs;
  Regs before = regs;
  before.rax = signed_of(regs.rax) == syscalls::kRestartBlock ? SYS_restart_syscall : regs.orig_rax;
  before.rip -= 2;
  before.orig_rax = ~std::uint64_t{0};
  return before;
}

Stop stand_interrupted(Stopped& task, const Regs& regs, std::vector<siginfo_t>& arrived) {
  task.set_regs(restarted(regs));
  for (;;) {
    Running(task.tid()).interrupt();
    Running running = std::move(task).resume(Resume::Continue);
    const Stop stop = await_stop(running.tid());
    if (stop.kind == Stop::Kind::Exited) throw TaskDied{running.tid()};
    task = std::move(running).stopped();
    if (stop.kind == Stop::Kind::Exiting) throw TaskDied{task.tid()};
    if (stop.kind == Stop::Kind::Signal) arrived.push_back(task.siginfo());
    if (stop.kind != Stop::Kind::EventStop && stop.kind != Stop::Kind::GroupStop) continue;
    task.set_regs(regs);
    return stop;
  }
}

}  // namespace tmrec::tracee
