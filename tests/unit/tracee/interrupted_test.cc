#include "tracee/interrupted.h"

#include <doctest/doctest.h>
#include <sys/syscall.h>

#include <cerrno>

namespace tmrec::tracee {
namespace {

using std::chrono::milliseconds;

Regs in_call(std::int64_t number, std::int64_t ret) {
  Regs regs;
  regs.orig_rax = static_cast<std::uint64_t>(number);
  regs.rax = static_cast<std::uint64_t>(ret);
  regs.rip = 0x401002;
  return regs;
}

}  // namespace

TEST_CASE("a call that a stop ended with EINTR waits on") {
  for (const std::int64_t number : {SYS_epoll_wait, SYS_semop, SYS_rt_sigtimedwait, SYS_recvfrom}) {
    Regs regs = in_call(number, -EINTR);
    CHECK(!is_interrupted(regs));
    wait_on(regs, {});
    CHECK(is_interrupted(regs));
    CHECK(static_cast<std::int64_t>(regs.rax) == -514);
  }
  Regs close = in_call(SYS_close, -EINTR), computing = in_call(-1, -EINTR), done = in_call(SYS_epoll_wait, 0);
  for (Regs* regs : {&close, &computing, &done}) {
    const Regs before = *regs;
    wait_on(*regs, {});
    CHECK(*regs == before);
  }
}

TEST_CASE("epoll_wait waits for what is left of its time-out") {
  const auto left = [](std::uint64_t timeout, milliseconds waited) {
    Regs regs = in_call(SYS_epoll_wait, -EINTR);
    regs.r10 = timeout;
    wait_on(regs, waited);
    return regs.r10;
  };
  CHECK(left(100, milliseconds(30)) == 70);
  CHECK(left(100, milliseconds(101)) == 0);
  CHECK(left(100, milliseconds(-5)) == 100);
  CHECK(left(0xffffffff, milliseconds(30)) == 0xffffffff);  // for ever
  CHECK(left(0, milliseconds(30)) == 0);
}

TEST_CASE("a call is made again as the kernel does it") {
  for (const std::int64_t ret : {-512, -513, -514}) {
    const Regs again = restarted(in_call(SYS_read, ret));
    CHECK(again.rax == SYS_read);
    CHECK(again.rip == 0x401000);
    CHECK(static_cast<std::int64_t>(again.orig_rax) == -1);
  }
  CHECK(restarted(in_call(SYS_nanosleep, -516)).rax == SYS_restart_syscall);
  const Regs done = in_call(SYS_read, 5);
  CHECK(restarted(done) == done);
}

}  // namespace tmrec::tracee
