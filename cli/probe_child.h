// A throw-away child process for a probe: runs a function, stopped first if wanted, and never outlives the probe.
//
// The sessions' own tracing is in tracee/, whose handles belong to a session; a probe wants to see the bare system call
// fail, and keeps its child to itself.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>

namespace tmrec::cli {

class ProbeChild {
 public:
  // Runs `body` in a child and ends it with the value returned. With `gated` the child waits for release() first.
  explicit ProbeChild(const std::function<int()>& body, bool gated = false);
  ~ProbeChild();  // kills and reaps it
  ProbeChild(const ProbeChild&) = delete;
  ProbeChild& operator=(const ProbeChild&) = delete;

  pid_t pid() const { return pid_; }  // -1: fork failed
  void release();

  // The next change of state as waitpid(2) reports it, within two seconds; nothing when none comes.
  std::optional<int> wait();

  // Waits for the end; true when the child returned 0.
  bool succeeded();

 private:
  pid_t pid_ = -1;
  int gate_ = -1;
  bool reaped_ = false;
};

}  // namespace tmrec::cli
