// The vocabulary of the system call table.
//
// Problem: recording must know, for every call, which memory the kernel may write and when; replay must know which
// calls are performed; dump must know what arguments mean. Solution: one row per call whose arguments say shape,
// direction, timing and length rule, so that one generic engine (capture.h, print.cc) serves nearly all calls.
// Multiplexed calls (ioctl, fcntl, prctl, futex...) have a list of commands whose arguments replace those of the row.
// Rejected: a function per call, which hides a wrong length in 400 places, and separate tables for capture, policy and
// printing, which drift.
//
// Freestanding: no allocation, exceptions or libc; the same code is going to run inside the tracee.
#pragma once

#include <cstdint>

#include "format/regs.h"

namespace tmrec::syscalls {

struct Call {
  std::uint32_t nr;
  std::uint64_t args[6];  // at entry
};

// The call of a task that stands at its entry.
inline Call call_of(const Regs& entry) {
  Call call{};
  call.nr = static_cast<std::uint32_t>(entry.orig_rax);
  for (int i = 0; i < 6; ++i) call.args[i] = entry.arg(i);
  return call;
}

enum class Policy : std::uint8_t {
  Record,        // performed at recording; result and written memory are applied at replay, where it is not performed
  Memory,        // changes the address space: performed at recording and at replay
  Process,       // creates, replaces or ends a task or its program
  Sigreturn,     // rt_sigreturn: restores registers and extended state from the signal frame
  Restart,       // restart_syscall: goes on with a call that a stop interrupted
  Virtual,       // concerns a setting that tmrec uses itself: the recorder answers as the kernel would; else as Record
  Refuse,        // not performed: fails with `error`
  EndRecording,  // cannot be recorded and cannot be refused
};

// A hint for scheduling: MayWait can sleep for something another task has to do.
enum class Blocking : std::uint8_t { Never, MayWait, Yield };

// What a value means (for printing). For pointers: what it points to.
// clang-format off
enum class Type : std::uint8_t {
  // values
  Int, Uint, Hex, Octal, Size, Offset, Pointer, Fd, DirFd, Pid, Uid, Dev, Signal, Clock, Command, Nothing,
  OpenFlags, FileFlags, AccessMode, AtFlags, Whence, Prot, MapFlags, MremapFlags, MsyncFlags, MlockallFlags, CloneFlags,
  WaitOptions, WaitIdType, Family, SocketType, SocketLevel, SocketOption, MsgFlags, ShutdownHow, EpollOp, EpollFlags,
  EventfdFlags, SignalfdFlags, TimerfdFlags, TimerFlags, SigmaskHow, Resource, RusageWho, PriorityWhich, Itimer, RandomFlags,
  MemfdFlags, RenameFlags, StatxMask, FallocateMode, FlockOp, InotifyMask, MountFlags, UmountFlags, SchedPolicy, SpliceFlags,
  XattrFlags, IpcFlags, FdFlags, PersonalityFlags, MembarrierCmd, CloseRangeFlags, RwfFlags,
  // pointees
  Raw, Text, Stat, Statfs, Statx, Timespec, TimespecPair, Timeval, TimevalPair, Itimerval, Itimerspec, Sigset, Sigaction,
  Siginfo, StackT, Rusage, Rlimit, Sockaddr, FdSet, PollFds, EpollEvents, I32, I32Pair, U32, I64, WaitStatus, Utsname,
  Sysinfo, Tms, Dirents, OldDirents, Termios, Winsize, Flock, OpenHow, CloneArgs, Sigevent, FutexWord, U32Array, Ifreq,
};
// clang-format on

// What memory an argument names.
enum class Shape : std::uint8_t {
  Value,       // none: the argument itself
  Memory,      // length by the rule
  String,      // up to its NUL
  Strings,     // array of pointers to strings, ended by a null pointer
  Iovec,       // array of args[from] struct iovec; the data they name is transferred, `ret` bytes in all
  Msghdr,      // one struct msghdr, its name, control data and iovecs
  Mmsghdr,     // array of args[from] struct mmsghdr
  FileHandle,  // struct file_handle: 8 bytes and as many as its first word says
};

enum class Dir : std::uint8_t { None, In, Out, InOut };

// With which result the kernel has written an Out argument. With -EFAULT it may have written any prefix of any of them.
enum class When : std::uint8_t {
  Success,      // ret >= 0
  Positive,     // ret > 0
  Interrupted,  // -EINTR and the restart codes; perhaps 0: a signal that another thread then took interrupts a sleep
                // unseen, which goes on
  Always,       // whatever the result
  Waiting,      // always, and also when the call starts to wait
};

enum class Rule : std::uint8_t {
  Fixed,        // size
  Count,        // args[from] * size
  Returned,     // min(ret, args[from]) * size
  ValueResult,  // min(the u32 at args[from] at entry, the same at exit) * size
  Message,      // 8 + min(ret, args[from]): struct msgbuf
  FdSet,        // args[from] bits, in words of 8 bytes
  NodeMask,     // args[from] - 1 bits, in words of 8 bytes (get_mempolicy, mm/mempolicy.c copy_nodes_to_user)
  Pages,        // one byte per page of args[from] bytes (mincore)
  UpTo,         // at most size, as far as readable: the kernel alone knows how much
};

struct Arg {
  Type type = Type::Nothing;
  Shape shape = Shape::Value;
  Dir dir = Dir::None;
  When when = When::Success;
  Rule rule = Rule::Fixed;
  std::uint8_t from = 0;
  std::uint16_t size = 0;
};
static_assert(sizeof(Arg) == 8);

constexpr bool reads(const Arg& a) { return a.dir == Dir::In || a.dir == Dir::InOut; }
constexpr bool writes(const Arg& a) { return a.dir == Dir::Out || a.dir == Dir::InOut; }

inline constexpr int kMaxCommandArgs = 5;

// One command of a multiplexed call. Its arguments replace those of the row after the command's own position; for
// futex, whose word comes first, from position 0 except the command.
struct Command {
  std::uint64_t number = 0;
  const char* name = nullptr;
  Arg args[kMaxCommandArgs] = {};
  std::uint8_t nargs = 0;
  Policy policy = Policy::Record;
  Blocking blocking = Blocking::Never;
  std::int16_t error = 0;
  const char* why = nullptr;

  constexpr Command waits() const {
    Command c = *this;
    c.blocking = Blocking::MayWait;
    return c;
  }
  constexpr Command refused(int err, const char* reason) const {
    Command c = *this;
    c.policy = Policy::Refuse;
    c.error = static_cast<std::int16_t>(err);
    c.why = reason;
    return c;
  }
  constexpr Command as(Policy p, const char* reason = nullptr) const {
    Command c = *this;
    c.policy = p;
    c.why = reason;
    return c;
  }
};

// The commands of one call. The command is (args[arg] >> shift) & mask.
struct Commands {
  const Command* list = nullptr;
  std::uint16_t count = 0;
  std::uint8_t arg = 0;
  std::uint8_t first = 0;  // position of the first argument that a command describes
  std::uint8_t shift = 0;
  std::uint64_t mask = 0xffffffff;
  std::int16_t unknown = 0;  // error for a command not in the list; 0: the row's own arguments hold
};

struct Row {
  std::uint32_t nr = 0;
  const char* name = "unknown";
  Arg args[6] = {};
  std::uint8_t nargs = 0;
  Type returns = Type::Int;
  Policy policy = Policy::Record;
  Blocking blocking = Blocking::Never;
  std::int16_t error = 0;
  const char* why = nullptr;  // reason for a policy other than Record, or a remark
  const Commands* commands = nullptr;

  constexpr Row waits() const {
    Row r = *this;
    r.blocking = Blocking::MayWait;
    return r;
  }
  constexpr Row yields() const {
    Row r = *this;
    r.blocking = Blocking::Yield;
    return r;
  }
  constexpr Row gives(Type t) const {
    Row r = *this;
    r.returns = t;
    return r;
  }
  constexpr Row by(const Commands& c) const {
    Row r = *this;
    r.commands = &c;
    return r;
  }
  constexpr Row as(Policy p, const char* reason = nullptr) const {
    Row r = *this;
    r.policy = p;
    r.why = reason;
    return r;
  }
  constexpr Row refused(int err, const char* reason) const {
    Row r = as(Policy::Refuse, reason);
    r.error = static_cast<std::int16_t>(err);
    return r;
  }
};

// Results the kernel keeps to itself, seen by a tracer (include/linux/errno.h).
inline constexpr std::int64_t kRestartSys = -512;
inline constexpr std::int64_t kRestartNoIntr = -513;
inline constexpr std::int64_t kRestartNoHand = -514;
inline constexpr std::int64_t kRestartBlock = -516;

// Interrupted by a signal or a stop, in whatever form.
constexpr bool was_interrupted(std::int64_t ret) { return ret == -4 || (ret <= kRestartSys && ret >= kRestartBlock); }

}  // namespace tmrec::syscalls
