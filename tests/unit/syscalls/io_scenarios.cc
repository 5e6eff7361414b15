// Pipes, readiness, descriptors of the kernel's own making, System V and POSIX message passing.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <array>

#include "probe.h"

namespace tmrec::syscalls::test {

namespace {

void pipes(Probe& p) {
  int* fds = p.make<std::array<int, 2>>()->data();
  CHECK(p.call(SYS_pipe, fds) == 0);
  CHECK(p.captured().total() == 8);
  CHECK(write(fds[1], "hello", 5) == 5);
  CHECK(p.call(SYS_read, fds[0], p.buffer(100), 100) == 5);
  close(fds[0]);
  close(fds[1]);
  fds = p.make<std::array<int, 2>>()->data();
  CHECK(p.call(SYS_pipe2, fds, O_NONBLOCK) == 0);
  CHECK(p.call(SYS_read, fds[0], p.buffer(100), 100) == -EAGAIN);
  CHECK(p.captured().total() == 0);
  // A read into a buffer that ends in an unmapped page copies what fits, and may report that as a failure.
  char* edge = static_cast<char*>(mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  munmap(edge + 4096, 4096);
  CHECK(write(fds[1], "0123456789", 10) == 10);
  CHECK(p.call(SYS_read, fds[0], edge + 4090, 10) == -EFAULT);
  CHECK(p.captured().total() == 6);
  munmap(edge, 4096);
  close(fds[0]);
  close(fds[1]);
}

void readiness(Probe& p) {
  int fds[2];
  REQUIRE(pipe(fds) == 0);
  CHECK(write(fds[1], "x", 1) == 1);
  auto* polls = static_cast<pollfd*>(p.buffer(2 * sizeof(pollfd)));
  polls[0] = {fds[0], POLLIN, 0x7777};
  polls[1] = {fds[1], POLLOUT, 0x7777};
  CHECK(p.call(SYS_poll, polls, 2, 0) == 2);
  timespec* wait = p.put(timespec{0, 1000});
  CHECK(p.call(SYS_ppoll, polls, 2, wait, nullptr, 8) == 2);
  const auto sets = [&] {
    auto* set = static_cast<std::uint64_t*>(p.buffer(16));
    set[0] = 1ull << fds[0] | 1ull << fds[1];
    return set;
  };
  CHECK(p.call(SYS_select, 64, sets(), sets(), sets(), p.put(timeval{0, 1000})) == 2);
  CHECK(p.call(SYS_pselect6, 64, sets(), sets(), nullptr, p.put(timespec{0, 1000}), nullptr) == 2);
  const int ep = epoll_create1(0);
  epoll_event ev{.events = EPOLLIN, .data = {.u64 = 77}};
  REQUIRE(epoll_ctl(ep, EPOLL_CTL_ADD, fds[0], &ev) == 0);
  CHECK(p.call(SYS_epoll_wait, ep, p.buffer(120), 10, 0) == 1);
  CHECK(p.captured().total() == 12);
  CHECK(p.call(SYS_epoll_pwait, ep, p.buffer(120), 10, 0, nullptr, 8) == 1);
  CHECK(p.call(SYS_epoll_pwait2, ep, p.buffer(120), 10, p.put(timespec{0, 0}), nullptr, 8) == 1);
  close(ep);
  close(fds[0]);
  close(fds[1]);
}

void kernel_descriptors(Probe& p) {
  const int ev = eventfd(7, EFD_NONBLOCK);
  CHECK(p.call(SYS_read, ev, p.buffer(100), 100) == 8);
  close(ev);
  const int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  itimerspec* spec = p.put(itimerspec{{0, 0}, {100, 0}});
  CHECK(p.call(SYS_timerfd_settime, timer, 0, spec, p.buffer(32)) == 0);
  CHECK(p.call(SYS_timerfd_gettime, timer, p.buffer(64)) == 0);
  CHECK(p.captured().total() == 32);
  close(timer);
  const int watch = inotify_init1(IN_NONBLOCK);
  REQUIRE(inotify_add_watch(watch, "/tmp", IN_CREATE) >= 0);
  char name[] = "/tmp/tmrec-inotify-XXXXXX";
  const int made = mkstemp(name);
  CHECK(p.call(SYS_read, watch, p.buffer(500), 500) > 0);
  unlink(name);
  close(made);
  close(watch);
  sigset_t set, old;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigprocmask(SIG_BLOCK, &set, &old);
  const int sig = signalfd(-1, &set, SFD_NONBLOCK);
  kill(getpid(), SIGUSR1);
  CHECK(p.call(SYS_read, sig, p.buffer(500), 500) == 128);
  close(sig);
  sigprocmask(SIG_SETMASK, &old, nullptr);
}

void system_v(Probe& p) {
  const int queue = msgget(IPC_PRIVATE, 0600);
  REQUIRE(queue >= 0);
  struct {
    long type;
    char text[8];
  } message{5, "hello"};
  REQUIRE(msgsnd(queue, &message, 6, 0) == 0);
  CHECK(p.call(SYS_msgctl, queue, IPC_STAT, p.buffer(200)) == 0);
  CHECK(p.call(SYS_msgrcv, queue, p.buffer(200), 100, 0, 0) == 6);
  CHECK(p.captured().total() == 14);
  CHECK(p.call(SYS_msgctl, 0, 3 /* IPC_INFO */, p.buffer(200)) >= 0);
  CHECK(p.call(SYS_msgctl, 0, 12 /* MSG_INFO */, p.buffer(200)) >= 0);
  msgctl(queue, IPC_RMID, nullptr);
  const int sems = semget(IPC_PRIVATE, 5, 0600);
  REQUIRE(sems >= 0);
  CHECK(p.call(SYS_semctl, sems, 0, GETALL, p.buffer(20)) == 0);
  CHECK(p.call(SYS_semctl, sems, 0, IPC_STAT, p.buffer(200)) == 0);
  CHECK(p.call(SYS_semctl, 0, 0, 3 /* IPC_INFO */, p.buffer(200)) >= 0);
  CHECK(p.call(SYS_semctl, 0, 0, 19 /* SEM_INFO */, p.buffer(200)) >= 0);
  semctl(sems, 0, IPC_RMID);
  const int shm = shmget(IPC_PRIVATE, 4096, 0600);
  REQUIRE(shm >= 0);
  CHECK(p.call(SYS_shmctl, shm, IPC_STAT, p.buffer(200)) == 0);
  CHECK(p.call(SYS_shmctl, 0, 3 /* IPC_INFO */, p.buffer(200)) >= 0);
  CHECK(p.call(SYS_shmctl, 0, 14 /* SHM_INFO */, p.buffer(200)) >= 0);
  shmctl(shm, IPC_RMID, nullptr);
}

void posix_queues(Probe& p) {
  mq_attr attr{};
  attr.mq_maxmsg = 2;
  attr.mq_msgsize = 64;
  const mqd_t q = mq_open("/tmrec-test", O_RDWR | O_CREAT, 0600, &attr);
  if (q < 0) return;  // a kernel without message queues
  mq_unlink("/tmrec-test");
  REQUIRE(mq_send(q, "abc", 3, 9) == 0);
  CHECK(p.call(SYS_mq_timedreceive, q, p.buffer(64), 64, p.buffer(4), nullptr) == 3);
  CHECK(p.captured().total() == 7);
  CHECK(p.call(SYS_mq_getsetattr, q, nullptr, p.buffer(100)) == 0);
  mq_close(q);
}

void memory_queries(Probe& p) {
  char* pages = static_cast<char*>(
      mmap(nullptr, 10 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0));
  CHECK(p.call(SYS_mincore, pages, 10 * 4096 - 100, p.buffer(20)) == 0);
  CHECK(p.captured().total() == 10);
  // Half of the range is not mapped: the kernel has filled in some of the answer before it fails.
  munmap(pages + 8 * 4096, 2 * 4096);
  CHECK(p.call(SYS_mincore, pages, 10 * 4096, p.buffer(20)) == -ENOMEM);
  const std::int64_t policy = p.call(SYS_get_mempolicy, p.buffer(4), p.buffer(1024), 1025, nullptr, 0);
  CHECK((policy == 0 || policy == -ENOSYS));
  void** list = static_cast<void**>(p.buffer(16));
  list[0] = pages;
  list[1] = pages + 4096;
  const std::int64_t moved = p.call(SYS_move_pages, 0, 2, list, nullptr, p.buffer(8), 0);
  CHECK((moved == 0 || moved == -ENOSYS));
  iovec* local = p.put(iovec{p.buffer(100), 100});
  iovec* remote = p.put(iovec{pages, 60});
  CHECK(p.call(SYS_process_vm_readv, getpid(), local, 1, remote, 1, 0) == 60);
  CHECK(p.captured().total() == 60);
  munmap(pages, 10 * 4096);
}

constexpr Scenario kScenarios[] = {
    {"pipes", pipes},       {"readiness", readiness},       {"kernel descriptors", kernel_descriptors},
    {"System V", system_v}, {"POSIX queues", posix_queues}, {"memory queries", memory_queries},
};

}  // namespace

std::span<const Scenario> io_scenarios() { return kScenarios; }

}  // namespace tmrec::syscalls::test
