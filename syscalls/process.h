// clone and clone3: what the kernel writes for the parent. The child's own memory (CLONE_CHILD_SETTID) belongs to the
// child's event.
#pragma once

#include "syscalls/emit.h"
#include "syscalls/row.h"

namespace tmrec::syscalls {

namespace clone_flag {
inline constexpr std::uint64_t kVm = 0x100, kVfork = 0x4000, kThread = 0x10000, kPidfd = 0x1000,
                               kParentSettid = 0x100000, kChildCleartid = 0x200000, kChildSettid = 0x1000000,
                               kUntraced = 0x800000;
}  // namespace clone_flag

inline constexpr std::uint32_t kCloneNumber = 56, kForkNumber = 57, kVforkNumber = 58, kClone3Number = 435;

// The arguments of fork, vfork, clone or clone3 in the form of the last.
template <class Mem>
abi::CloneArgs clone_arguments(const Call& call, Mem& mem) {
  abi::CloneArgs a{};
  if (call.nr == kCloneNumber) {
    a.flags = call.args[0] & ~0xffull & 0xffffffff;
    a.exit_signal = call.args[0] & 0xff;
    a.stack = call.args[1];
    a.parent_tid = a.pidfd = call.args[2];  // clone(2) has one pointer for both
    a.child_tid = call.args[3];
    a.tls = call.args[4];
  } else if (call.nr == kClone3Number) {
    const std::uint64_t n = smaller(call.args[1], sizeof a);
    if (!mem.read(call.args[0], &a, n)) a = {};
  } else {
    a.flags = call.nr == kVforkNumber ? clone_flag::kVfork | clone_flag::kVm : 0;
    a.exit_signal = 17;  // SIGCHLD
  }
  return a;
}

// The pidfd is stored before the last reasons for failing (kernel/fork.c, copy_process), the thread id after all of
// them.
template <class Mem, class Sink>
void put_clone_outputs(const Call& call, std::int64_t ret, Mem& mem, Sink& sink) {
  const abi::CloneArgs a = clone_arguments(call, mem);
  if (a.flags & clone_flag::kPidfd) put_readable_output(mem, sink, a.pidfd, 4);
  if (ret > 0 && (a.flags & clone_flag::kParentSettid)) put_readable_output(mem, sink, a.parent_tid, 4);
}

}  // namespace tmrec::syscalls
