// What waitpid(2) says about a traced task, decoded once (ptrace(2), "Stopped states").
#pragma once

#include <csignal>
#include <cstdint>
#include <string>

namespace tmrec::tracee {

struct Stop {
  enum class Kind : std::uint8_t {
    Syscall,    // entry or exit of a system call (PTRACE_O_TRACESYSGOOD); which of the two, the task's own life knows
    Signal,     // about to be delivered: `signal`
    GroupStop,  // job control stop by `signal`; PTRACE_LISTEN waits for its end
    EventStop,  // PTRACE_EVENT_STOP otherwise: first stop of a new task, PTRACE_INTERRUPT, end of a group stop
    Clone,      // PTRACE_EVENT_CLONE/FORK/VFORK: the message is the new task's id
    VforkDone,
    Exec,     // the message is the id the calling thread had
    Exiting,  // PTRACE_EVENT_EXIT: memory still there; the message is the wait status to come
    Exited,   // gone: `status`
  } kind = Kind::Exited;
  int signal = 0;  // Signal, GroupStop
  int status = 0;  // the raw status
};

// `status` as waitpid returned it, with PTRACE_SEIZE and all of tmrec's options in force.
Stop decode_wait_status(int status);

// The exit status a shell would show for a task that ended with this wait status: its own, or 128+N after signal N.
int exit_status_of(int wait_status);

// Whether the default action of the signal is a job control stop (signal(7)).
bool stops_by_default(int signal);

// Whether an instruction of the task itself raised the signal, so that it comes again when the instruction does.
bool raised_by_instruction(const siginfo_t& info);

// "stopped before SIGTERM", for messages.
std::string describe(const Stop& stop);

}  // namespace tmrec::tracee
