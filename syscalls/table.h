// The table: one row per x86-64 system call number of Linux 6.18. Rows stand in table_*.inc by range of numbers, in the
// words of spell.h; irregular memory behind them is captured by the families (net.h, ioctl.h, process.h).
#pragma once

#include <cstddef>

#include "syscalls/commands.h"
#include "syscalls/ioctls.h"
#include "syscalls/numbers.h"
#include "syscalls/row.h"
#include "syscalls/spell.h"

namespace tmrec::syscalls {

namespace list {
inline constexpr const char* kAioWhy =
    "completions arrive in memory at any time; nginx, databases and libaio fall back";
inline constexpr const char* kUringWhy = "completions arrive in memory at any time; libuv and others fall back";

// clang-format off
inline constexpr Row kRows[] = {
#include "syscalls/table_0.inc"
#include "syscalls/table_100.inc"
#include "syscalls/table_200.inc"
#include "syscalls/table_424.inc"
};
// clang-format on
static_assert(sizeof kRows / sizeof *kRows == number::kLastOld + 1 + number::kLast - number::kFirstNew + 1);

inline constexpr Row kUnknown = call(~0u, "unknown").refused(38, "no such system call in the kernels tmrec knows");
}  // namespace list

// Total: a number without a call gives a row named "unknown", refused with ENOSYS.
constexpr const Row& row(std::uint32_t nr) {
  if (nr <= number::kLastOld) return list::kRows[nr];
  if (nr >= number::kFirstNew && nr <= number::kLast) return list::kRows[nr - number::kFirstNew + number::kLastOld + 1];
  return list::kUnknown;
}

// The command of a multiplexed call; null when the row has none or does not know it.
constexpr const Command* command_of(const Row& r, const Call& call) {
  if (!r.commands) return nullptr;
  const Commands& c = *r.commands;
  const std::uint64_t number = ((call.args[c.arg] & 0xffffffff) >> c.shift) & c.mask;
  for (unsigned i = 0; i < c.count; ++i)
    if (c.list[i].number == number) return &c.list[i];
  return nullptr;
}

// The arguments of this very call: those of its row, replaced by those of its command.
struct Signature {
  const Row* row = nullptr;
  const Command* command = nullptr;
  Arg args[6] = {};
  unsigned nargs = 0;
};

constexpr std::uint32_t kIoctlNumber = 16;

// Argument of an ioctl without a row of its own, from the direction and size in its number (asm-generic/ioctl.h). The
// old numbers say nothing: whatever stands at a plausible pointer is captured, which is harmless when the kernel did
// not write it.
constexpr Arg ioctl_argument(std::uint64_t request) {
  const unsigned dir = (request >> 30) & 3, size = (request >> 16) & 0x3fff;
  constexpr unsigned kWrite = 1, kRead = 2;
  if (dir == 0) return spell::up_to(512, When::Always);
  if (dir == kWrite) return spell::in(Type::Raw, size);
  return dir == kRead ? spell::out(Type::Raw, size, When::Always) : spell::inout(Type::Raw, size, When::Always);
}

constexpr Signature signature(const Call& call) {
  Signature s;
  s.row = &row(call.nr);
  s.command = command_of(*s.row, call);
  s.nargs = s.row->nargs;
  for (unsigned i = 0; i < s.nargs; ++i) s.args[i] = s.row->args[i];
  if (s.command) {
    const Commands& c = *s.row->commands;
    unsigned at = c.first;
    for (unsigned i = 0; i < s.command->nargs; ++i, ++at) {
      if (at == c.arg) ++at;
      s.args[at] = s.command->args[i];
    }
    s.nargs = at > c.arg ? at : c.arg + 1u;
  } else if (s.row->nr == kIoctlNumber) {
    s.args[2] = ioctl_argument(call.args[1]);
  }
  // A structure that goes both ways is often copied back with the error (fs/ioctl.c, ioctl_fiemap).
  if (s.row->nr == kIoctlNumber && s.args[2].dir == Dir::InOut) s.args[2].when = When::Always;
  return s;
}

}  // namespace tmrec::syscalls
