// Which system calls the agent may perform itself, by number. Freestanding.
#pragma once

#include <array>
#include <cstdint>

#include "syscalls/effects.h"
#include "syscalls/table.h"

namespace tmrec::agent {

// NOLINTBEGIN(readability-identifier-naming)
namespace number {
inline constexpr std::uint32_t kRead = 0, kWrite = 1, kOpen = 2, kClose = 3, kFstat = 5, kPoll = 7, kSigaction = 13,
                               kSigprocmask = 14, kIoctl = 16, kPread = 17, kPwrite = 18, kReadv = 19, kWritev = 20,
                               kAccess = 21, kYield = 24, kDup2 = 33, kAccept = 43, kSendto = 44, kRecvfrom = 45,
                               kSendmsg = 46, kRecvmsg = 47, kFcntl = 72, kGettimeofday = 96, kFstatfs = 138,
                               kFutex = 202, kClockGettime = 228, kEpollWait = 232, kOpenat = 257, kNewfstatat = 262,
                               kFaccessat = 269, kPselect = 270, kPpoll = 271, kEpollPwait = 281, kAccept4 = 288,
                               kDup3 = 292, kPreadv = 295;
inline constexpr std::uint32_t kMost = 511;
}  // namespace number
// NOLINTEND(readability-identifier-naming)

inline constexpr std::uint64_t kLargestTransfer = 128 * 1024;  // bytes; larger ones are the supervisor's

enum class Buffering : std::uint8_t {
  Never,   // the supervisor's
  Silent,  // never waits, changes nothing that it follows, reads and writes no memory
  Plain,   // the same with memory; or its arguments decide
  Read,    // depends on the descriptor (layout.h, FdClass)
  Write,
  Accept,
  Open,  // depends on flags and commands
  Fcntl,
  Ioctl,
  Futex,
  Mask,    // sigprocmask: unless it blocks SIGSYS
  Action,  // sigaction: unless it is about SIGSYS
  Close,   // changes what a descriptor is
  Dup,
  Wait,   // looks whether something is ready
  Sleep,  // is made without the baton in any case: waits, or may
  Yield,
};

namespace detail {

// Recorded plainly and never waiting, but of interest to the supervisor: the child's tid word, limits, identity (which
// decides whether it may look), tracing and filters, and whatever moves data it must see.
inline constexpr std::uint32_t kSupervised[] = {
    131,
    40,
    77,
    76,
    85,
    101,
    105,
    106,
    113,
    114,
    116,
    117,
    119,
    122,
    123,
    126,
    135,
    157,
    158,
    160,
    187,
    218,
    221,
    265,
    275,
    276,
    278,
    285,
    302,
    304,
    307,
    310,
    311,
    317,
    326,
    436,
    437,
    161,
    272,
    308,
    16,
    // Their results depend on who asks: the agent's own memory, or its counters.
    27,
    28,
    149,
    150,
    151,
    152,
    325,
    453,
};

constexpr bool is_supervised(std::uint32_t nr) {
  for (const std::uint32_t other : kSupervised) {
    if (other == nr) return true;
  }
  return false;
}

// select, pause, nanosleep, connect, wait4, semop, msgsnd, msgrcv, flock, fsync, fdatasync, rt_sigtimedwait,
// semtimedop, clock_nanosleep, mq_timedsend, mq_timedreceive, waitid, pselect6, getrandom.
constexpr bool may_sleep(std::uint32_t nr) {
  for (const std::uint32_t other : {23u, 34u, 35u, 42u, 61u, 65u, 69u, 70u, 73u, 74u, 75u, 128u, 220u, 230u, 242u, 243u,
                                    247u, number::kPselect, 318u}) {
    if (other == nr) return true;
  }
  return false;
}

constexpr bool has_memory(const syscalls::Row& row) {
  for (const syscalls::Arg& arg : row.args) {
    if (arg.shape != syscalls::Shape::Value) return true;
  }
  return false;
}

// syscalls/decide.h looks at more than the number: mmap, socket, setsockopt, getsockopt, clone, pkey_mprotect, clone3.
constexpr bool depends_on_arguments(std::uint32_t nr) {
  for (const std::uint32_t other : {9u, 41u, 54u, 55u, 56u, 329u, 435u}) {
    if (other == nr) return true;
  }
  return false;
}

constexpr Buffering buffering(std::uint32_t nr) {
  switch (nr) {
    case number::kRead:
    case number::kPread:
    case number::kReadv:
    case number::kPreadv:
    case number::kRecvfrom:
    case number::kRecvmsg:
      return Buffering::Read;
    case number::kWrite:
    case number::kPwrite:
    case number::kWritev:
    case number::kSendto:
    case number::kSendmsg:
      return Buffering::Write;
    case number::kAccept:
    case number::kAccept4:
      return Buffering::Accept;
    case number::kOpen:
    case number::kOpenat:
      return Buffering::Open;
    case number::kFcntl:
      return Buffering::Fcntl;
    case number::kIoctl:
      return Buffering::Ioctl;
    case number::kFutex:
      return Buffering::Futex;
    case number::kSigprocmask:
      return Buffering::Mask;
    case number::kSigaction:
      return Buffering::Action;
    case number::kClose:
      return Buffering::Close;
    case number::kDup2:
    case number::kDup3:
      return Buffering::Dup;
    case number::kYield:
      return Buffering::Yield;
    case number::kEpollWait:
    case number::kEpollPwait:
    case number::kPoll:
    case number::kPpoll:
      return Buffering::Wait;
    default:
      break;
  }
  if (may_sleep(nr)) return Buffering::Sleep;
  const syscalls::Row& row = syscalls::row(nr);
  const bool plain = row.policy == syscalls::Policy::Record && row.blocking == syscalls::Blocking::Never &&
                     row.commands == nullptr && !is_supervised(nr) && syscalls::written_fd({nr, {}}) == -1;
  if (!plain) return Buffering::Never;
  return has_memory(row) || depends_on_arguments(nr) ? Buffering::Plain : Buffering::Silent;
}

constexpr auto all_bufferings() {
  std::array<Buffering, number::kMost + 1> all{};
  for (std::uint32_t nr = 0; nr <= number::kMost; ++nr) all[nr] = buffering(nr);
  return all;
}
inline constexpr auto kBufferings = all_bufferings();

}  // namespace detail

// What ld.so does first after it has read its environment.
constexpr bool looks_at_files(std::uint32_t nr) {
  return nr == number::kAccess || nr == number::kFaccessat || nr == number::kOpen || nr == number::kOpenat;
}

// Precondition: nr <= number::kMost.
constexpr Buffering buffering_of(std::uint32_t nr) { return detail::kBufferings[nr]; }

}  // namespace tmrec::agent
