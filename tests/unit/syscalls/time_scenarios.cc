// Clocks, timers and sleeping, whole and interrupted.
#include <doctest/doctest.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#include <array>

#include "probe.h"

namespace tmrec::syscalls::test {

namespace {

void clocks(Probe& p) {
  CHECK(p.call(SYS_clock_gettime, CLOCK_MONOTONIC, p.buffer(32)) == 0);
  CHECK(p.captured().total() == 16);
  CHECK(p.call(SYS_clock_getres, CLOCK_MONOTONIC, p.buffer(32)) == 0);
  CHECK(p.call(SYS_gettimeofday, p.buffer(16), p.buffer(8)) == 0);
  CHECK(p.call(SYS_time, p.buffer(8)) > 0);
  auto* query = static_cast<timex*>(p.buffer(sizeof(timex)));
  query->modes = 0;
  CHECK(p.call(SYS_adjtimex, query) >= 0);
  *query = timex{};
  query->modes = 0x8000;  // no such mode: an error, and yet the structure is copied out
  CHECK(p.call(SYS_adjtimex, query) < 0);
  query->modes = 0;
  CHECK(p.call(SYS_clock_adjtime, CLOCK_REALTIME, query) >= 0);
}

void timers(Probe& p) {
  CHECK(p.call(SYS_getitimer, ITIMER_REAL, p.buffer(32)) == 0);
  CHECK(p.call(SYS_setitimer, ITIMER_REAL, p.put(itimerval{}), p.buffer(32)) == 0);
  sigevent event{};
  event.sigev_notify = SIGEV_NONE;
  int* id = static_cast<int*>(p.buffer(4));
  CHECK(p.call(SYS_timer_create, CLOCK_MONOTONIC, p.put(event), id) == 0);
  CHECK(p.captured().total() == 4);
  CHECK(p.call(SYS_timer_settime, *id, 0, p.put(itimerspec{{0, 0}, {50, 0}}), p.buffer(32)) == 0);
  CHECK(p.call(SYS_timer_gettime, *id, p.buffer(32)) == 0);
  CHECK(p.call(SYS_timer_delete, *id) == 0);
}

void on_alarm(int) {}

// Sleeps until a timer interrupts them: then the remaining time is written, and perhaps in one that ends (row.h,
// When::Interrupted).
void interrupted_sleeps(Probe& p) {
  struct sigaction action = {}, before = {};
  action.sa_handler = on_alarm;
  sigaction(SIGALRM, &action, &before);
  const itimerval soon{{0, 0}, {0, 20000}};
  setitimer(ITIMER_REAL, &soon, nullptr);
  CHECK(p.call(SYS_nanosleep, p.put(timespec{5, 0}), p.buffer(16)) == -EINTR);
  CHECK(p.captured().total() == 16);
  setitimer(ITIMER_REAL, &soon, nullptr);
  CHECK(p.call(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, p.put(timespec{5, 0}), p.buffer(16)) == -EINTR);
  setitimer(ITIMER_REAL, &soon, nullptr);
  pollfd* nothing = p.put(pollfd{-1, POLLIN, 0x7777});
  CHECK(p.call(SYS_ppoll, nothing, 1, p.put(timespec{5, 0}), nullptr, 8) == -EINTR);
  setitimer(ITIMER_REAL, &soon, nullptr);
  CHECK(p.call(SYS_poll, p.put(pollfd{-1, POLLIN, 0x7777}), 1, 5000) == -EINTR);
  setitimer(ITIMER_REAL, &soon, nullptr);
  CHECK(p.call(SYS_pselect6, 0, nullptr, nullptr, nullptr, p.put(timespec{5, 0}), nullptr) == -EINTR);
  CHECK(p.call(SYS_nanosleep, p.put(timespec{0, 1000}), p.buffer(16)) == 0);
  CHECK(p.captured().total() == 16);
  sigaction(SIGALRM, &before, nullptr);
}

constexpr Scenario kScenarios[] = {{"clocks", clocks}, {"timers", timers}, {"interrupted sleeps", interrupted_sleeps}};

}  // namespace

std::span<const Scenario> time_scenarios() { return kScenarios; }

}  // namespace tmrec::syscalls::test
