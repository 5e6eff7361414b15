#include "tracee/debug_registers.h"

#include <sys/ptrace.h>
#include <sys/user.h>

#include <cerrno>
#include <cstddef>

namespace tmrec::tracee {
namespace {

// L0 of DR7; type (execute) and length of register 0 are all zeros.
constexpr unsigned long kEnable0 = 1;

Result<void> poke(pid_t tid, std::size_t number, unsigned long value) {
  const std::size_t at = offsetof(struct user, u_debugreg) + number * sizeof(unsigned long);
  if (::ptrace(PTRACE_POKEUSER, tid, at, value) == 0) return {};
  if (errno == ESRCH) throw TaskDied{tid};
  return fail_errno("setting a debug register", errno, ErrorKind::Machine);
}

}  // namespace

Result<void> set_breakpoint(const Stopped& task, std::optional<RemoteAddr> at) {
  TMREC_CHECKED(poke(task.tid(), 7, 0));
  if (!at) return {};
  TMREC_CHECKED(poke(task.tid(), 0, at->value));
  return poke(task.tid(), 7, kEnable0);
}

}  // namespace tmrec::tracee
