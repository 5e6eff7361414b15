#include "tracee/stop.h"

#include <sys/ptrace.h>
#include <sys/wait.h>
#include <csignal>
#include <cstring>

#include <fmt/format.h>

namespace tmrec::tracee {

int exit_status_of(int wait_status) {
  return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

bool stops_by_default(int signal) {
  return signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}

bool raised_by_instruction(const siginfo_t& info) {
  if (info.si_code <= 0) return false;  // sent by kill, tgkill, sigqueue
  switch (info.si_signo) {
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGTRAP:
      return true;
    default:
      return false;
  }
}

Stop decode_wait_status(int status) {
  Stop stop{.kind = Stop::Kind::Exited, .signal = 0, .status = status};
  if (!WIFSTOPPED(status)) return stop;
  int signal = WSTOPSIG(status);
  switch (status >> 16) {
    case 0:
      stop.kind = signal == (SIGTRAP | 0x80) ? Stop::Kind::Syscall : Stop::Kind::Signal;
      stop.signal = signal & 0x7f;
      return stop;
    case PTRACE_EVENT_CLONE:
    case PTRACE_EVENT_FORK:
    case PTRACE_EVENT_VFORK:
      stop.kind = Stop::Kind::Clone;
      return stop;
    case PTRACE_EVENT_VFORK_DONE:
      stop.kind = Stop::Kind::VforkDone;
      return stop;
    case PTRACE_EVENT_EXEC:
      stop.kind = Stop::Kind::Exec;
      return stop;
    case PTRACE_EVENT_EXIT:
      stop.kind = Stop::Kind::Exiting;
      return stop;
    default:
      stop.kind = stops_by_default(signal) ? Stop::Kind::GroupStop : Stop::Kind::EventStop;
      stop.signal = signal;
      return stop;
  }
}

std::string describe(const Stop& stop) {
  switch (stop.kind) {
    case Stop::Kind::Syscall:
      return "a system call";
    case Stop::Kind::Signal:
      return fmt::format("signal {} ({})", stop.signal, strsignal(stop.signal));
    case Stop::Kind::GroupStop:
      return fmt::format("a job control stop by {}", strsignal(stop.signal));
    case Stop::Kind::EventStop:
      return "a ptrace stop";
    case Stop::Kind::Clone:
      return "the creation of a task";
    case Stop::Kind::VforkDone:
      return "the end of a vfork";
    case Stop::Kind::Exec:
      return "an exec";
    case Stop::Kind::Exiting:
      return "its exit";
    case Stop::Kind::Exited:
      return WIFSIGNALED(stop.status) ? fmt::format("death by signal {}", WTERMSIG(stop.status))
                                      : fmt::format("exit with status {}", WEXITSTATUS(stop.status));
  }
  return "an unknown stop";
}

}  // namespace tmrec::tracee
