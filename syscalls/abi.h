// Sizes and offsets of the kernel's own structures on x86-64, in bytes. They differ from glibc's in places (sigset_t,
// struct termios, struct sigaction); tests/unit/syscalls/abi_test.cc compares them with the kernel's headers. Named
// here because those headers cannot be included together with libc's.
#pragma once

#include <cstdint>

namespace tmrec::syscalls::abi {

inline constexpr unsigned kTimespec = 16, kTimeval = 16, kTimezone = 8, kItimerval = 32, kItimerspec = 32, kTimex = 208;
inline constexpr unsigned kStat = 144, kStatfs = 120, kStatx = 256, kUstat = 32, kFlock = 32, kOwnerEx = 8,
                          kOpenHow = 24;
inline constexpr unsigned kSigset = 8, kSigaction = 32, kSiginfo = 128, kStackT = 24, kSigevent = 64;
inline constexpr unsigned kRusage = 144, kRlimit = 16, kSysinfo = 112, kUtsname = 390, kTms = 32;
inline constexpr unsigned kEpollEvent = 12, kPollFd = 8, kIovec = 16, kMsghdr = 56, kMmsghdr = 64;
inline constexpr unsigned kTermios = 36, kTermios2 = 44, kTermio = 18, kWinsize = 8, kSerial = 72;
inline constexpr unsigned kIfreq = 40, kIfconf = 16, kArpreq = 68, kRtentry = 120, kSockaddrStorage = 128;
inline constexpr unsigned kMqAttr = 64, kSemidDs = 104, kSeminfo = 40, kMsqidDs = 120, kMsginfo = 32, kShmidDs = 112,
                          kShminfo = 72, kShmInfo = 48, kSembuf = 6;
inline constexpr unsigned kFutexWaitv = 24, kCachestat = 40, kCachestatRange = 16, kSockFprog = 16,
                          kRobustListHead = 24;
inline constexpr unsigned kLoopInfo = 168, kLoopInfo64 = 232, kLoopConfig = 304;

// struct msghdr: name, namelen, iov, iovlen, control, controllen, flags; struct mmsghdr adds len.
inline constexpr unsigned kMsgNameLen = 8, kMsgIov = 16, kMsgControl = 32, kMsgControlLen = 40, kMsgFlags = 48,
                          kMmsgLen = 56;

inline constexpr std::uint64_t kMaxIovecs = 1024;          // UIO_MAXIOV
inline constexpr std::uint64_t kMaxTransfer = 0x7ffff000;  // MAX_RW_COUNT: no call moves more

struct Iovec {
  std::uint64_t base, len;
};
struct Msghdr {
  std::uint64_t name;
  std::int32_t namelen, pad1;
  std::uint64_t iov, iovlen, control, controllen;
  std::uint32_t flags, pad2;
};
static_assert(sizeof(Iovec) == kIovec && sizeof(Msghdr) == kMsghdr);

// struct clone_args (include/uapi/linux/sched.h), the fields that name memory.
struct CloneArgs {
  std::uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};

}  // namespace tmrec::syscalls::abi
