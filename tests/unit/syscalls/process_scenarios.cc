// Identity, limits, children, signals, scheduling, threads.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/times.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <thread>

#include "probe.h"

namespace tmrec::syscalls::test {

namespace {

void identity(Probe& p) {
  CHECK(p.call(SYS_uname, p.buffer(400)) == 0);
  CHECK(p.captured().total() == 390);
  CHECK(p.call(SYS_sysinfo, p.buffer(200)) == 0);
  CHECK(p.call(SYS_getresuid, p.buffer(4), p.buffer(4), p.buffer(4)) == 0);
  CHECK(p.call(SYS_getresgid, p.buffer(4), p.buffer(4), p.buffer(4)) == 0);
  const gid_t groups[] = {1, 2, 3};
  gid_t before[64];
  const int had = getgroups(64, before);
  if (had >= 0 && setgroups(3, groups) == 0) {
    CHECK(p.call(SYS_getgroups, 100, p.buffer(400)) == 3);
    CHECK(p.captured().total() == 12);
    CHECK(setgroups(static_cast<std::size_t>(had), before) == 0);
  }
  CHECK(p.call(SYS_getgroups, 0, p.buffer(400)) >= 0);
  CHECK(p.captured().total() == 0);
  CHECK(p.call(SYS_capget, p.put(std::array<std::uint32_t, 2>{0x20080522, 0}), p.buffer(24)) == 0);
  CHECK(p.call(SYS_capget, p.put(std::array<std::uint32_t, 2>{1, 0}), p.buffer(24)) == -EINVAL);
  CHECK(p.call(SYS_getrandom, p.buffer(100), 33, 0) == 33);
  CHECK(p.captured().total() == 33);
  CHECK(p.call(SYS_getcpu, p.buffer(4), p.buffer(4), nullptr) == 0);
}

void keys_and_log(Probe& p) {
  const std::int64_t known = p.call(SYS_keyctl, 31 /* KEYCTL_CAPABILITIES */, p.buffer(16), 16);
  CHECK((known > 0 || known == -ENOSYS || known == -EOPNOTSUPP));
  constexpr int kSession = -3;
  const std::int64_t described = p.call(SYS_keyctl, 6 /* KEYCTL_DESCRIBE */, kSession, p.buffer(200), 10);
  CHECK(described != 0);
  const std::int64_t log = p.call(SYS_syslog, 3 /* SYSLOG_ACTION_READ_ALL */, p.buffer(4096), 4096);
  CHECK((log >= 0 || log == -EPERM || log == -ENOSYS));
  CHECK(p.call(SYS_capset, p.put(std::array<std::uint32_t, 2>{77, 0}), p.buffer(24)) == -EINVAL);
  CHECK(p.changed() > 0);  // the version the kernel prefers
}

void limits(Probe& p) {
  CHECK(p.call(SYS_getrlimit, RLIMIT_NOFILE, p.buffer(32)) == 0);
  CHECK(p.call(SYS_prlimit64, 0, RLIMIT_STACK, nullptr, p.buffer(32)) == 0);
  CHECK(p.call(SYS_getrusage, RUSAGE_SELF, p.buffer(200)) == 0);
  CHECK(p.call(SYS_times, p.buffer(64)) > 0);
}

void scheduling(Probe& p) {
  CHECK(p.call(SYS_sched_getaffinity, 0, 128, p.buffer(200)) > 0);
  CHECK(p.call(SYS_sched_getparam, 0, p.buffer(16)) == 0);
  CHECK(p.call(SYS_sched_rr_get_interval, 0, p.buffer(32)) == 0);
  CHECK(p.call(SYS_sched_getattr, 0, p.buffer(64), 48, 0) == 0);
}

void options(Probe& p) {
  CHECK(p.call(SYS_prctl, PR_GET_NAME, p.buffer(32), 0, 0, 0) == 0);
  CHECK(p.captured().total() == 16);
  CHECK(p.call(SYS_prctl, PR_GET_PDEATHSIG, p.buffer(8), 0, 0, 0) == 0);
  CHECK(p.call(SYS_prctl, PR_GET_CHILD_SUBREAPER, p.buffer(8), 0, 0, 0) == 0);
  CHECK(p.call(SYS_prctl, PR_GET_TSC, p.buffer(8), 0, 0, 0) == 0);
  const std::int64_t tid_address = p.call(SYS_prctl, PR_GET_TID_ADDRESS, p.buffer(16), 0, 0, 0);
  CHECK((tid_address == 0 || tid_address == -EINVAL));
  const std::int64_t auxv = p.call(SYS_prctl, 0x41555856 /* PR_GET_AUXV */, p.buffer(600), 300, 0, 0);
  CHECK((auxv > 0 || auxv == -EINVAL));
  CHECK(p.call(SYS_arch_prctl, 0x1003 /* ARCH_GET_FS */, p.buffer(16)) == 0);
  CHECK(p.call(SYS_arch_prctl, 0x1022 /* ARCH_GET_XCOMP_PERM */, p.buffer(16)) <= 0);
  CHECK(p.call(SYS_seccomp, 3 /* SECCOMP_GET_NOTIF_SIZES */, 0, p.buffer(16)) <= 0);
  std::uint32_t* size = p.put<std::uint32_t>(800);
  const std::int64_t modules = p.call(number::kLsmListModules, p.buffer(800), size, 0);
  CHECK((modules >= 0 || modules == -ENOSYS || modules == -EOPNOTSUPP));
  *size = 4;
  CHECK(p.call(number::kLsmListModules, p.buffer(800), size, 0) < 0);
  *size = 1000;
  CHECK(p.call(number::kLsmGetSelfAttr, 100, p.buffer(1000), size, 0) <= 1);
}

// Children that have ended, in four ways of asking.
void children(Probe& p) {
  const auto child = [] {
    const pid_t pid = fork();
    if (pid == 0) _exit(7);
    return pid;
  };
  CHECK(p.call(SYS_wait4, child(), p.buffer(8), 0, p.buffer(200)) > 0);
  CHECK(p.captured().total() == 4 + 144);
  CHECK(p.call(SYS_waitid, P_PID, child(), p.buffer(128), WEXITED, p.buffer(200)) == 0);
  CHECK(p.call(SYS_wait4, -1, p.buffer(8), WNOHANG, p.buffer(200)) == -ECHILD);
  CHECK(p.captured().total() == 0);
  CHECK(p.call(SYS_waitid, P_ALL, 0, p.buffer(128), WEXITED, p.buffer(200)) == -ECHILD);
  CHECK(p.changed() > 0);  // the siginfo is cleared although it failed
  int hold[2];
  REQUIRE(pipe(hold) == 0);
  const pid_t running = fork();
  if (running == 0) {
    char c;
    close(hold[1]);
    _exit(read(hold[0], &c, 1) == 0 ? 0 : 1);
  }
  close(hold[0]);
  CHECK(p.call(SYS_wait4, running, p.buffer(8), WNOHANG, p.buffer(200)) == 0);
  CHECK(p.captured().total() == 0);
  CHECK(p.call(SYS_waitid, P_PID, running, p.buffer(128), WEXITED | WNOHANG, nullptr) == 0);
  close(hold[1]);
  CHECK(p.call(SYS_wait4, running, nullptr, 0, nullptr) == running);
}

void signals(Probe& p) {
  struct KernelAction {
    std::uint64_t handler, flags, restorer, mask;
  };
  CHECK(p.call(SYS_rt_sigaction, SIGUSR2, nullptr, p.make<KernelAction>(), 8) == 0);
  CHECK(p.captured().total() == 32);
  CHECK(p.call(SYS_rt_sigprocmask, SIG_BLOCK, p.put<std::uint64_t>(1ull << (SIGUSR2 - 1)), p.buffer(8), 8) == 0);
  CHECK(p.call(SYS_sigaltstack, nullptr, p.buffer(32)) == 0);
  kill(getpid(), SIGUSR2);
  CHECK(p.call(SYS_rt_sigpending, p.buffer(8), 8) == 0);
  std::uint64_t* set = p.put<std::uint64_t>(1ull << (SIGUSR2 - 1));
  CHECK(p.call(SYS_rt_sigtimedwait, set, p.buffer(128), p.put(timespec{0, 0}), 8) == SIGUSR2);
  CHECK(p.call(SYS_rt_sigtimedwait, set, p.buffer(128), p.put(timespec{0, 0}), 8) == -EAGAIN);
  CHECK(p.captured().total() == 0);
  CHECK(p.call(SYS_rt_sigprocmask, SIG_UNBLOCK, set, nullptr, 8) == 0);
}

void threads(Probe& p) {
  CHECK(p.call(SYS_get_robust_list, 0, p.buffer(8), p.buffer(8)) == 0);
  CHECK(p.call(SYS_futex, p.put<int>(5), FUTEX_WAIT, 6, nullptr, nullptr, 0) == -EAGAIN);
  int* word = p.put<int>(0);
  CHECK(p.call(SYS_futex, word, FUTEX_LOCK_PI_PRIVATE, 0, nullptr, nullptr, 0) == 0);
  CHECK(p.changed() > 0);
  CHECK(p.call(SYS_futex, word, FUTEX_TRYLOCK_PI_PRIVATE, 0, nullptr, nullptr, 0) == -EDEADLK);
  // Another thread waits for the lock: the kernel marks the word, and gives it over at unlock.
  std::int64_t theirs = -1;
  std::thread waiter([&] { theirs = syscall(SYS_futex, word, FUTEX_LOCK_PI_PRIVATE, 0, nullptr, nullptr, 0); });
  while (!(__atomic_load_n(word, __ATOMIC_SEQ_CST) & FUTEX_WAITERS)) sched_yield();
  CHECK(p.call(SYS_futex, word, FUTEX_UNLOCK_PI_PRIVATE, 0, nullptr, nullptr, 0) == 0);
  waiter.join();
  CHECK(theirs == 0);
  int* second = p.put<int>(0);
  CHECK(p.call(SYS_futex, p.put<int>(1), FUTEX_WAKE_OP, 1, 1, second, FUTEX_OP(FUTEX_OP_ADD, 5, FUTEX_OP_CMP_EQ, 0)) ==
        0);
  CHECK(*second == 5);
  *second = 0;
  CHECK(p.call(SYS_futex, p.put<int>(1), FUTEX_CMP_REQUEUE_PI, 1, 1, second, 1) == 0);
}

// The word of a PI futex is an output as soon as the call starts to wait.
void waiting_word(Probe& p) {
  int* word = p.put<int>(1);
  LocalMemory memory;
  RangeSink sink;
  capture_while_blocked(Call{SYS_futex, {reinterpret_cast<std::uint64_t>(word), FUTEX_LOCK_PI, 0, 0, 0, 0}}, memory,
                        sink);
  CHECK(sink.total() == 4);
  RangeSink none;
  capture_while_blocked(Call{SYS_futex, {reinterpret_cast<std::uint64_t>(word), FUTEX_WAIT, 1, 0, 0, 0}}, memory, none);
  CHECK(none.total() == 0);
}

// fork-like clones run in the child as well: it leaves at once.
void clones(Probe& p) {
  int* parent_tid = static_cast<int*>(p.buffer(4));
  const auto reap = [](std::int64_t pid) { CHECK(waitpid(static_cast<pid_t>(pid), nullptr, 0) == pid); };
  std::int64_t pid = p.call(SYS_clone, CLONE_PARENT_SETTID | SIGCHLD, nullptr, parent_tid, nullptr, 0);
  if (pid == 0) _exit(0);
  CHECK(p.captured().total() == 4);
  reap(pid);
  struct Args {
    std::uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
  };
  int* pidfd = static_cast<int*>(p.buffer(4));
  Args* args = p.put(Args{CLONE_PIDFD | CLONE_PARENT_SETTID, reinterpret_cast<std::uint64_t>(pidfd), 0,
                          reinterpret_cast<std::uint64_t>(parent_tid), SIGCHLD, 0, 0, 0});
  pid = p.call(SYS_clone3, args, sizeof(Args));
  if (pid == 0) _exit(0);
  CHECK(p.captured().total() == 8);
  reap(pid);
  close(*pidfd);
}

constexpr Scenario kScenarios[] = {
    {"identity", identity},     {"keys and log", keys_and_log}, {"limits", limits},
    {"scheduling", scheduling}, {"options", options},           {"children", children},
    {"signals", signals},       {"threads", threads},           {"PI words", waiting_word},
    {"clones", clones},
};

}  // namespace

std::span<const Scenario> process_scenarios() { return kScenarios; }

}  // namespace tmrec::syscalls::test
