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

// DR7: local enable in bits 0, 2, 4, 6; from bit 16 on two bits of type and two of length for each.
Result<void> set_watches(const Stopped& task, std::span<const WatchedWord> words) {
  TMREC_CHECKED(poke(task.tid(), 7, 0));
  unsigned long control = 0;
  for (std::size_t i = 0; i < words.size(); ++i) {
    TMREC_CHECKED(poke(task.tid(), i, words[i].at.value));
    const unsigned long type = words[i].writes_only ? 1 : 3;
    const unsigned long length = words[i].size == 8 ? 2 : words[i].size - 1u;
    control |= kEnable0 << (2 * i) | (type | length << 2) << (16 + 4 * i);
  }
  if (control == 0) return {};
  return poke(task.tid(), 7, control);
}

std::uint32_t watched(const Stopped& task) {
  errno = 0;
  const long status =
      ::ptrace(PTRACE_PEEKUSER, task.tid(), offsetof(struct user, u_debugreg) + 6 * sizeof(unsigned long), 0);
  if (status == -1 && errno == ESRCH) throw TaskDied{task.tid()};
  constexpr std::uint32_t kHits = 15;
  return static_cast<std::uint32_t>(status) & kHits;
}

std::uint32_t take_watched(const Stopped& task) {
  const std::uint32_t hits = watched(task);
  if (hits != 0) (void)poke(task.tid(), 6, 0);
  return hits;
}

}  // namespace tmrec::tracee
