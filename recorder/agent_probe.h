// For tests: signals at every instruction of the agent.
//
// What a signal meets in the agent depends on the instruction that it comes at, and no test by chance meets them all. A
// breakpoint on execution stops the task at one instruction after another, one for each call that the supervisor sees,
// and the task is sent the signal there. Rejected: single-stepping, which shows in the flags that the agent records.
#pragma once

#include <cstdint>
#include <vector>

#include "tracee/task_handle.h"

namespace tmrec::recorder {

class AgentProbe {
 public:
  explicit AgentProbe(int signal);

  // The next instruction is to be met. The task is stopped, and will run.
  void arm(const tracee::Stopped& task);
  // Whether the task, stopped by SIGTRAP, stands at it; then the signal has been sent.
  bool met(const tracee::Stopped& task, const siginfo_t& trap);

 private:
  int signal_;
  std::vector<std::uint64_t> places_;
  std::size_t next_ = 0;
};

}  // namespace tmrec::recorder
