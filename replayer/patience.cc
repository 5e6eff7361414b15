#include "replayer/patience.h"

#include <algorithm>

namespace tmrec::replayer {

using namespace std::chrono_literals;

namespace {

// An emulated CPU or a cold cache makes a task slower, not a hundred times and three seconds.
constexpr Nanoseconds kAtLeast = 3s;
constexpr Nanoseconds kLongestRecorded = 24h * 365;
constexpr int kTimesSlower = 100;

}  // namespace

Nanoseconds patience_for(Nanoseconds recorded) {
  return kAtLeast + kTimesSlower * std::clamp(recorded, Nanoseconds(0), kLongestRecorded);
}

Heartbeat::Heartbeat(std::chrono::microseconds interval) {
  const timeval every{interval / 1s, (interval % 1s).count()};
  const itimerval timer{every, every};
  struct sigaction interrupt{};  // without SA_RESTART
  interrupt.sa_handler = [](int) {};
  sigaction(SIGALRM, &interrupt, &action_before_);
  sigset_t alarm;
  sigemptyset(&alarm);
  sigaddset(&alarm, SIGALRM);
  pthread_sigmask(SIG_UNBLOCK, &alarm, &mask_before_);
  setitimer(ITIMER_REAL, &timer, &timer_before_);
}

Heartbeat::~Heartbeat() {
  setitimer(ITIMER_REAL, &timer_before_, nullptr);
  pthread_sigmask(SIG_SETMASK, &mask_before_, nullptr);
  sigaction(SIGALRM, &action_before_, nullptr);
}

}  // namespace tmrec::replayer
