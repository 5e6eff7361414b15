// How long a replayed task may compute before it counts as lost.
//
// The problem: a stub runs whatever the trace says. One damaged register, and it computes for ever where the recorded
// task soon came to its next event; the replay would wait for ever too. The solution: a timer interrupts the waiting
// now and then (once in half a second: a replay that goes well notices nothing), and the CPU time the task has used is
// compared with the time it took when it was recorded. Rejected: a limit in wall time, which a suspended or crowded
// machine would exceed; RLIMIT_CPU, which counts for a whole process and in seconds.
#pragma once

#include <sys/time.h>

#include <chrono>
#include <csignal>

namespace tmrec::replayer {

using Nanoseconds = std::chrono::nanoseconds;

// CPU time that a task may use to come to an event `recorded` after the one before. What the trace says of times is
// believed: a recorded task may really have computed for hours.
Nanoseconds patience_for(Nanoseconds recorded);

// While it lives, SIGALRM interrupts waitpid of the calling thread's process regularly. One at a time.
class Heartbeat {
 public:
  explicit Heartbeat(std::chrono::microseconds interval = std::chrono::milliseconds(500));
  ~Heartbeat();
  Heartbeat(const Heartbeat&) = delete;
  Heartbeat& operator=(const Heartbeat&) = delete;

 private:
  struct sigaction action_before_{};
  itimerval timer_before_{};
  sigset_t mask_before_{};
};

}  // namespace tmrec::replayer
