#include <doctest/doctest.h>

#include <sys/ptrace.h>
#include <csignal>

#include "tracee/stop.h"

using tmrec::tracee::decode_wait_status;
using Kind = tmrec::tracee::Stop::Kind;

namespace {

int stopped_by(int signal, int event = 0) { return (event << 16) | (signal << 8) | 0x7f; }

}  // namespace

TEST_CASE("a system call stop is told from a breakpoint") {
  CHECK(decode_wait_status(stopped_by(SIGTRAP | 0x80)).kind == Kind::Syscall);
  auto stop = decode_wait_status(stopped_by(SIGTRAP));
  CHECK(stop.kind == Kind::Signal);
  CHECK(stop.signal == SIGTRAP);
}

TEST_CASE("a job control stop is told from other event stops") {
  for (int signal : {SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU}) {
    auto stop = decode_wait_status(stopped_by(signal, PTRACE_EVENT_STOP));
    CHECK(stop.kind == Kind::GroupStop);
    CHECK(stop.signal == signal);
  }
  CHECK(decode_wait_status(stopped_by(SIGTRAP, PTRACE_EVENT_STOP)).kind == Kind::EventStop);
  CHECK(decode_wait_status(stopped_by(SIGSTOP)).kind == Kind::Signal);
}

TEST_CASE("events") {
  CHECK(decode_wait_status(stopped_by(SIGTRAP, PTRACE_EVENT_CLONE)).kind == Kind::Clone);
  CHECK(decode_wait_status(stopped_by(SIGTRAP, PTRACE_EVENT_FORK)).kind == Kind::Clone);
  CHECK(decode_wait_status(stopped_by(SIGTRAP, PTRACE_EVENT_VFORK)).kind == Kind::Clone);
  CHECK(decode_wait_status(stopped_by(SIGTRAP, PTRACE_EVENT_VFORK_DONE)).kind == Kind::VforkDone);
  CHECK(decode_wait_status(stopped_by(SIGTRAP, PTRACE_EVENT_EXEC)).kind == Kind::Exec);
  CHECK(decode_wait_status(stopped_by(SIGTRAP, PTRACE_EVENT_EXIT)).kind == Kind::Exiting);
}

TEST_CASE("ends") {
  CHECK(decode_wait_status(3 << 8).kind == Kind::Exited);
  CHECK(decode_wait_status(SIGKILL).kind == Kind::Exited);
  CHECK(describe(decode_wait_status(3 << 8)) == "exit with status 3");
  CHECK(describe(decode_wait_status(SIGKILL)) == "death by signal 9");
}
