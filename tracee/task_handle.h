// The ptrace boundary. A traced task is either Stopped (its registers can be read) or Running; each turns into the
// other by being consumed, so using ptrace on a running task does not compile.
//
// A traced task can die at any moment (SIGKILL), also while it is stopped: every operation on Stopped may find it gone.
// That is an expected outcome which ends whatever the task's fiber was doing, so it is the one thing thrown as an
// exception (TaskDied) and caught in one place, the top of the fiber, instead of being threaded through every return.
#pragma once

#include <sys/types.h>
#include <csignal>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "format/event.h"
#include "format/regs.h"
#include "tracee/stop.h"

namespace tmrec::tracee {

struct TaskDied {
  pid_t tid;
};

// Registers or extended state that the kernel refuses to give to any task: hostile input, where they come from a trace.
struct ImpossibleState {
  std::string what;
};

enum class Resume {
  Continue,      // until a signal or an event
  ToSyscall,     // until the next system call entry or exit
  EmulateCalls,  // until the next system call, which is not performed (PTRACE_SYSEMU)
  Step,          // one instruction; with a signal: until the handler's first instruction
  StepEmulated,  // one instruction, or to the next system call, which is not performed (PTRACE_SYSEMU_SINGLESTEP)
  Listen,        // stay in the group stop until something happens (PTRACE_LISTEN)
};

class Running;

// What has been read of a stopped task is not read again: nothing but this object changes it.
class Stopped {
 public:
  Stopped(Stopped&& other) noexcept
      : tid_(std::exchange(other.tid_, 0)),
        regs_(std::exchange(other.regs_, std::nullopt)),
        mask_(std::exchange(other.mask_, std::nullopt)) {}
  Stopped& operator=(Stopped&& other) noexcept {
    tid_ = std::exchange(other.tid_, 0);
    regs_ = std::exchange(other.regs_, std::nullopt);
    mask_ = std::exchange(other.mask_, std::nullopt);
    return *this;
  }

  pid_t tid() const { return tid_; }

  Regs regs() const;
  void set_regs(const Regs& regs);  // throws ImpossibleState

  // XSAVE area in the kernel's standard format (NT_X86_XSTATE).
  Bytes xstate() const;
  void set_xstate(std::span<const std::uint8_t> state);  // throws ImpossibleState

  siginfo_t siginfo() const;
  void set_siginfo(const siginfo_t& info);

  // Blocked signals; bit N-1 is signal N. In a call that changes the mask for its time, the mask it will restore.
  std::uint64_t signal_mask() const;
  void set_signal_mask(std::uint64_t mask);

  std::uint64_t event_message() const;

  // A task that died meanwhile counts as running: its end arrives through waitpid.
  Running resume(Resume how, int signal = 0) &&;
  void detach(int signal = 0) &&;

 private:
  friend class Running;
  explicit Stopped(pid_t tid) : tid_(tid) {}
  pid_t tid_;
  mutable std::optional<Regs> regs_;
  mutable std::optional<std::uint64_t> mask_;
};

class Running {
 public:
  // A task that waitpid has not reported yet.
  explicit Running(pid_t tid) : tid_(tid) {}
  Running(Running&& other) noexcept : tid_(std::exchange(other.tid_, 0)) {}
  Running& operator=(Running&& other) noexcept {
    tid_ = std::exchange(other.tid_, 0);
    return *this;
  }

  pid_t tid() const { return tid_; }
  // Call when waitpid reported a stop of this task.
  Stopped stopped() && { return Stopped(std::exchange(tid_, 0)); }
  // Asks for an EventStop soon (PTRACE_INTERRUPT).
  void interrupt() const;

 private:
  pid_t tid_;
};

// The next stop of this one task, or its end. Throws TaskDied when there is nothing to wait for.
Stop await_stop(pid_t tid);

}  // namespace tmrec::tracee
