// Values of the constants that printing names. Written out rather than included: the kernel's and libc's headers
// exclude each other, and several constants are newer than the distribution's. Names of many bits stand before those of
// their parts.
#pragma once

#include <cstdint>

namespace tmrec::syscalls::constants {

struct Name {
  std::uint64_t value;
  const char* text;
};

// clang-format off
// fcntl.h, beyond the access mode
inline constexpr Name kOpenFlags[] = {
    {0100, "O_CREAT"}, {0200, "O_EXCL"}, {0400, "O_NOCTTY"}, {01000, "O_TRUNC"}, {02000, "O_APPEND"},
    {04000, "O_NONBLOCK"}, {04010000, "O_SYNC"}, {010000, "O_DSYNC"}, {020000, "O_ASYNC"}, {040000, "O_DIRECT"},
    {0100000, "O_LARGEFILE"}, {020200000, "O_TMPFILE"}, {0200000, "O_DIRECTORY"}, {0400000, "O_NOFOLLOW"},
    {01000000, "O_NOATIME"}, {02000000, "O_CLOEXEC"}, {010000000, "O_PATH"},
};

// unistd.h
inline constexpr Name kAccessModes[] = {
    {0, "F_OK"}, {4, "R_OK"}, {2, "W_OK"}, {1, "X_OK"},
};

// linux/fcntl.h
inline constexpr Name kAtFlags[] = {
    {0x100, "AT_SYMLINK_NOFOLLOW"}, {0x200, "AT_REMOVEDIR"}, {0x400, "AT_SYMLINK_FOLLOW"},
    {0x800, "AT_NO_AUTOMOUNT"}, {0x1000, "AT_EMPTY_PATH"}, {0x2000, "AT_STATX_FORCE_SYNC"},
    {0x4000, "AT_STATX_DONT_SYNC"}, {0x8000, "AT_RECURSIVE"},
};

// unistd.h
inline constexpr Name kWhence[] = {
    {0, "SEEK_SET"}, {1, "SEEK_CUR"}, {2, "SEEK_END"}, {3, "SEEK_DATA"}, {4, "SEEK_HOLE"},
};

// sys/mman.h
inline constexpr Name kProt[] = {
    {0, "PROT_NONE"}, {1, "PROT_READ"}, {2, "PROT_WRITE"}, {4, "PROT_EXEC"}, {0x1000000, "PROT_GROWSDOWN"},
    {0x2000000, "PROT_GROWSUP"},
};

// sys/mman.h
inline constexpr Name kMapTypes[] = {
    {1, "MAP_SHARED"}, {2, "MAP_PRIVATE"}, {3, "MAP_SHARED_VALIDATE"},
};

// sys/mman.h
inline constexpr Name kMapFlags[] = {
    {0x10, "MAP_FIXED"}, {0x20, "MAP_ANONYMOUS"}, {0x40, "MAP_32BIT"}, {0x100, "MAP_GROWSDOWN"},
    {0x800, "MAP_DENYWRITE"}, {0x1000, "MAP_EXECUTABLE"}, {0x2000, "MAP_LOCKED"}, {0x4000, "MAP_NORESERVE"},
    {0x8000, "MAP_POPULATE"}, {0x10000, "MAP_NONBLOCK"}, {0x20000, "MAP_STACK"}, {0x40000, "MAP_HUGETLB"},
    {0x80000, "MAP_SYNC"}, {0x100000, "MAP_FIXED_NOREPLACE"},
};

// sys/mman.h
inline constexpr Name kMremapFlags[] = {
    {1, "MREMAP_MAYMOVE"}, {2, "MREMAP_FIXED"}, {4, "MREMAP_DONTUNMAP"},
};

// sys/mman.h
inline constexpr Name kMsyncFlags[] = {
    {1, "MS_ASYNC"}, {2, "MS_INVALIDATE"}, {4, "MS_SYNC"},
};

// sys/mman.h
inline constexpr Name kMlockallFlags[] = {
    {1, "MCL_CURRENT"}, {2, "MCL_FUTURE"}, {4, "MCL_ONFAULT"},
};

// linux/sched.h
inline constexpr Name kCloneFlags[] = {
    {0x100, "CLONE_VM"}, {0x200, "CLONE_FS"}, {0x400, "CLONE_FILES"}, {0x800, "CLONE_SIGHAND"},
    {0x1000, "CLONE_PIDFD"}, {0x2000, "CLONE_PTRACE"}, {0x4000, "CLONE_VFORK"}, {0x8000, "CLONE_PARENT"},
    {0x10000, "CLONE_THREAD"}, {0x20000, "CLONE_NEWNS"}, {0x40000, "CLONE_SYSVSEM"}, {0x80000, "CLONE_SETTLS"},
    {0x100000, "CLONE_PARENT_SETTID"}, {0x200000, "CLONE_CHILD_CLEARTID"}, {0x400000, "CLONE_DETACHED"},
    {0x800000, "CLONE_UNTRACED"}, {0x1000000, "CLONE_CHILD_SETTID"}, {0x2000000, "CLONE_NEWCGROUP"},
    {0x4000000, "CLONE_NEWUTS"}, {0x8000000, "CLONE_NEWIPC"}, {0x10000000, "CLONE_NEWUSER"},
    {0x20000000, "CLONE_NEWPID"}, {0x40000000, "CLONE_NEWNET"}, {0x80000000, "CLONE_IO"},
};

// sys/wait.h
inline constexpr Name kWaitOptions[] = {
    {1, "WNOHANG"}, {2, "WUNTRACED"}, {4, "WEXITED"}, {8, "WCONTINUED"}, {0x1000000, "WNOWAIT"},
    {0x20000000, "__WNOTHREAD"}, {0x40000000, "__WALL"}, {0x80000000, "__WCLONE"},
};

// sys/wait.h
inline constexpr Name kWaitIdTypes[] = {
    {0, "P_ALL"}, {1, "P_PID"}, {2, "P_PGID"}, {3, "P_PIDFD"},
};

// sys/socket.h
inline constexpr Name kFamilies[] = {
    {0, "AF_UNSPEC"}, {1, "AF_UNIX"}, {2, "AF_INET"}, {3, "AF_AX25"}, {4, "AF_IPX"}, {5, "AF_APPLETALK"},
    {9, "AF_X25"}, {0xa, "AF_INET6"}, {0xf, "AF_KEY"}, {0x10, "AF_NETLINK"}, {0x11, "AF_PACKET"}, {0x15, "AF_RDS"},
    {0x18, "AF_PPPOX"}, {0x1d, "AF_CAN"}, {0x1e, "AF_TIPC"}, {0x1f, "AF_BLUETOOTH"}, {0x26, "AF_ALG"},
    {0x28, "AF_VSOCK"}, {0x29, "AF_KCM"}, {0x2b, "AF_SMC"}, {0x2c, "AF_XDP"},
};

// sys/socket.h
inline constexpr Name kSocketTypes[] = {
    {1, "SOCK_STREAM"}, {2, "SOCK_DGRAM"}, {3, "SOCK_RAW"}, {4, "SOCK_RDM"}, {5, "SOCK_SEQPACKET"}, {6, "SOCK_DCCP"},
    {0xa, "SOCK_PACKET"},
};

// sys/socket.h
inline constexpr Name kSocketFlags[] = {
    {0x80000, "SOCK_CLOEXEC"}, {0x800, "SOCK_NONBLOCK"},
};

// sys/socket.h
inline constexpr Name kSocketLevels[] = {
    {1, "SOL_SOCKET"}, {0, "SOL_IP"}, {6, "SOL_TCP"}, {0x11, "SOL_UDP"}, {0x29, "SOL_IPV6"}, {0x3a, "SOL_ICMPV6"},
    {0xff, "SOL_RAW"}, {0x107, "SOL_PACKET"}, {0x10e, "SOL_NETLINK"}, {0x117, "SOL_ALG"}, {0x11f, "SOL_VSOCK"},
};

// asm-generic/socket.h
inline constexpr Name kSocketOptions[] = {
    {1, "SO_DEBUG"}, {2, "SO_REUSEADDR"}, {3, "SO_TYPE"}, {4, "SO_ERROR"}, {5, "SO_DONTROUTE"}, {6, "SO_BROADCAST"},
    {7, "SO_SNDBUF"}, {8, "SO_RCVBUF"}, {9, "SO_KEEPALIVE"}, {0xa, "SO_OOBINLINE"}, {0xb, "SO_NO_CHECK"},
    {0xc, "SO_PRIORITY"}, {0xd, "SO_LINGER"}, {0xe, "SO_BSDCOMPAT"}, {0xf, "SO_REUSEPORT"}, {0x10, "SO_PASSCRED"},
    {0x11, "SO_PEERCRED"}, {0x12, "SO_RCVLOWAT"}, {0x13, "SO_SNDLOWAT"}, {0x14, "SO_RCVTIMEO"},
    {0x15, "SO_SNDTIMEO"}, {0x19, "SO_BINDTODEVICE"}, {0x1a, "SO_ATTACH_FILTER"}, {0x1b, "SO_DETACH_FILTER"},
    {0x1c, "SO_PEERNAME"}, {0x1d, "SO_TIMESTAMP"}, {0x1e, "SO_ACCEPTCONN"}, {0x1f, "SO_PEERSEC"},
    {0x20, "SO_SNDBUFFORCE"}, {0x21, "SO_RCVBUFFORCE"}, {0x22, "SO_PASSSEC"}, {0x23, "SO_TIMESTAMPNS"},
    {0x24, "SO_MARK"}, {0x25, "SO_TIMESTAMPING"}, {0x26, "SO_PROTOCOL"}, {0x27, "SO_DOMAIN"}, {0x28, "SO_RXQ_OVFL"},
    {0x2a, "SO_PEEK_OFF"}, {0x2b, "SO_NOFCS"}, {0x2c, "SO_LOCK_FILTER"}, {0x2e, "SO_BUSY_POLL"},
    {0x31, "SO_INCOMING_CPU"}, {0x32, "SO_ATTACH_BPF"}, {0x37, "SO_MEMINFO"}, {0x39, "SO_COOKIE"},
    {0x3b, "SO_PEERGROUPS"}, {0x3c, "SO_ZEROCOPY"}, {0x3d, "SO_TXTIME"}, {0x45, "SO_PREFER_BUSY_POLL"},
    {0x47, "SO_NETNS_COOKIE"}, {0x48, "SO_BUF_LOCK"}, {0x49, "SO_RESERVE_MEM"}, {0x4c, "SO_PASSPIDFD"},
    {0x4d, "SO_PEERPIDFD"},
};

// linux/tcp.h
inline constexpr Name kTcpOptions[] = {
    {1, "TCP_NODELAY"}, {2, "TCP_MAXSEG"}, {3, "TCP_CORK"}, {4, "TCP_KEEPIDLE"}, {5, "TCP_KEEPINTVL"},
    {6, "TCP_KEEPCNT"}, {7, "TCP_SYNCNT"}, {8, "TCP_LINGER2"}, {9, "TCP_DEFER_ACCEPT"}, {0xa, "TCP_WINDOW_CLAMP"},
    {0xb, "TCP_INFO"}, {0xc, "TCP_QUICKACK"}, {0xd, "TCP_CONGESTION"}, {0xe, "TCP_MD5SIG"},
    {0x12, "TCP_USER_TIMEOUT"}, {0x17, "TCP_FASTOPEN"}, {0x18, "TCP_TIMESTAMP"}, {0x19, "TCP_NOTSENT_LOWAT"},
    {0x1f, "TCP_ULP"}, {0x1e, "TCP_FASTOPEN_CONNECT"}, {0x23, "TCP_ZEROCOPY_RECEIVE"}, {0x24, "TCP_INQ"},
};

// linux/in.h
inline constexpr Name kIpOptions[] = {
    {1, "IP_TOS"}, {2, "IP_TTL"}, {3, "IP_HDRINCL"}, {4, "IP_OPTIONS"}, {6, "IP_RECVOPTS"}, {8, "IP_PKTINFO"},
    {0xa, "IP_MTU_DISCOVER"}, {0xb, "IP_RECVERR"}, {0xc, "IP_RECVTTL"}, {0xd, "IP_RECVTOS"}, {0xe, "IP_MTU"},
    {0xf, "IP_FREEBIND"}, {0x13, "IP_TRANSPARENT"}, {0x18, "IP_BIND_ADDRESS_NO_PORT"}, {0x20, "IP_MULTICAST_IF"},
    {0x21, "IP_MULTICAST_TTL"}, {0x22, "IP_MULTICAST_LOOP"}, {0x23, "IP_ADD_MEMBERSHIP"},
    {0x24, "IP_DROP_MEMBERSHIP"},
};

// linux/in6.h
inline constexpr Name kIpv6Options[] = {
    {0x10, "IPV6_UNICAST_HOPS"}, {0x11, "IPV6_MULTICAST_IF"}, {0x12, "IPV6_MULTICAST_HOPS"},
    {0x13, "IPV6_MULTICAST_LOOP"}, {0x14, "IPV6_JOIN_GROUP"}, {0x15, "IPV6_LEAVE_GROUP"},
    {0x17, "IPV6_MTU_DISCOVER"}, {0x18, "IPV6_MTU"}, {0x19, "IPV6_RECVERR"}, {0x1a, "IPV6_V6ONLY"},
    {0x31, "IPV6_RECVPKTINFO"}, {0x32, "IPV6_PKTINFO"}, {0x33, "IPV6_RECVHOPLIMIT"}, {0x34, "IPV6_HOPLIMIT"},
    {0x42, "IPV6_RECVTCLASS"}, {0x43, "IPV6_TCLASS"},
};

// sys/socket.h
inline constexpr Name kMsgFlags[] = {
    {1, "MSG_OOB"}, {2, "MSG_PEEK"}, {4, "MSG_DONTROUTE"}, {8, "MSG_CTRUNC"}, {0x10, "MSG_PROXY"},
    {0x20, "MSG_TRUNC"}, {0x40, "MSG_DONTWAIT"}, {0x80, "MSG_EOR"}, {0x100, "MSG_WAITALL"}, {0x200, "MSG_FIN"},
    {0x400, "MSG_SYN"}, {0x800, "MSG_CONFIRM"}, {0x1000, "MSG_RST"}, {0x2000, "MSG_ERRQUEUE"},
    {0x4000, "MSG_NOSIGNAL"}, {0x8000, "MSG_MORE"}, {0x10000, "MSG_WAITFORONE"}, {0x40000, "MSG_BATCH"},
    {0x4000000, "MSG_ZEROCOPY"}, {0x20000000, "MSG_FASTOPEN"}, {0x40000000, "MSG_CMSG_CLOEXEC"},
};

// sys/socket.h
inline constexpr Name kShutdownHow[] = {
    {0, "SHUT_RD"}, {1, "SHUT_WR"}, {2, "SHUT_RDWR"},
};

// sys/epoll.h
inline constexpr Name kEpollOps[] = {
    {1, "EPOLL_CTL_ADD"}, {2, "EPOLL_CTL_DEL"}, {3, "EPOLL_CTL_MOD"},
};

// sys/epoll.h
inline constexpr Name kEpollFlags[] = {
    {0x80000, "EPOLL_CLOEXEC"},
};

// sys/eventfd.h
inline constexpr Name kEventfdFlags[] = {
    {1, "EFD_SEMAPHORE"}, {0x80000, "EFD_CLOEXEC"}, {0x800, "EFD_NONBLOCK"},
};

// sys/signalfd.h
inline constexpr Name kSignalfdFlags[] = {
    {0x80000, "SFD_CLOEXEC"}, {0x800, "SFD_NONBLOCK"},
};

// sys/timerfd.h
inline constexpr Name kTimerfdFlags[] = {
    {0x80000, "TFD_CLOEXEC"}, {0x800, "TFD_NONBLOCK"},
};

// time.h
inline constexpr Name kTimerFlags[] = {
    {1, "TIMER_ABSTIME"}, {2, "TFD_TIMER_CANCEL_ON_SET"},
};

// signal.h
inline constexpr Name kSigmaskHow[] = {
    {0, "SIG_BLOCK"}, {1, "SIG_UNBLOCK"}, {2, "SIG_SETMASK"},
};

// sys/resource.h
inline constexpr Name kResources[] = {
    {0, "RLIMIT_CPU"}, {1, "RLIMIT_FSIZE"}, {2, "RLIMIT_DATA"}, {3, "RLIMIT_STACK"}, {4, "RLIMIT_CORE"},
    {5, "RLIMIT_RSS"}, {6, "RLIMIT_NPROC"}, {7, "RLIMIT_NOFILE"}, {8, "RLIMIT_MEMLOCK"}, {9, "RLIMIT_AS"},
    {0xa, "RLIMIT_LOCKS"}, {0xb, "RLIMIT_SIGPENDING"}, {0xc, "RLIMIT_MSGQUEUE"}, {0xd, "RLIMIT_NICE"},
    {0xe, "RLIMIT_RTPRIO"}, {0xf, "RLIMIT_RTTIME"},
};

// sys/resource.h
inline constexpr Name kRusageWho[] = {
    {0, "RUSAGE_SELF"}, {0xffffffff, "RUSAGE_CHILDREN"}, {1, "RUSAGE_THREAD"},
};

// sys/resource.h
inline constexpr Name kPriorityWhich[] = {
    {0, "PRIO_PROCESS"}, {1, "PRIO_PGRP"}, {2, "PRIO_USER"},
};

// sys/time.h
inline constexpr Name kItimers[] = {
    {0, "ITIMER_REAL"}, {1, "ITIMER_VIRTUAL"}, {2, "ITIMER_PROF"},
};

// sys/random.h
inline constexpr Name kRandomFlags[] = {
    {1, "GRND_NONBLOCK"}, {2, "GRND_RANDOM"}, {4, "GRND_INSECURE"},
};

// linux/memfd.h
inline constexpr Name kMemfdFlags[] = {
    {1, "MFD_CLOEXEC"}, {2, "MFD_ALLOW_SEALING"}, {4, "MFD_HUGETLB"}, {8, "MFD_NOEXEC_SEAL"}, {0x10, "MFD_EXEC"},
};

// linux/fs.h
inline constexpr Name kRenameFlags[] = {
    {1, "RENAME_NOREPLACE"}, {2, "RENAME_EXCHANGE"}, {4, "RENAME_WHITEOUT"},
};

// linux/stat.h
inline constexpr Name kStatxMask[] = {
    {0xfff, "STATX_ALL"}, {0x7ff, "STATX_BASIC_STATS"}, {1, "STATX_TYPE"}, {2, "STATX_MODE"}, {4, "STATX_NLINK"},
    {8, "STATX_UID"}, {0x10, "STATX_GID"}, {0x20, "STATX_ATIME"}, {0x40, "STATX_MTIME"}, {0x80, "STATX_CTIME"},
    {0x100, "STATX_INO"}, {0x200, "STATX_SIZE"}, {0x400, "STATX_BLOCKS"}, {0x800, "STATX_BTIME"},
    {0x1000, "STATX_MNT_ID"},
};

// linux/falloc.h
inline constexpr Name kFallocateModes[] = {
    {1, "FALLOC_FL_KEEP_SIZE"}, {2, "FALLOC_FL_PUNCH_HOLE"}, {8, "FALLOC_FL_COLLAPSE_RANGE"},
    {0x10, "FALLOC_FL_ZERO_RANGE"}, {0x20, "FALLOC_FL_INSERT_RANGE"}, {0x40, "FALLOC_FL_UNSHARE_RANGE"},
};

// sys/file.h
inline constexpr Name kFlockOps[] = {
    {1, "LOCK_SH"}, {2, "LOCK_EX"}, {8, "LOCK_UN"}, {4, "LOCK_NB"},
};

// sys/inotify.h
inline constexpr Name kInotifyMask[] = {
    {1, "IN_ACCESS"}, {2, "IN_MODIFY"}, {4, "IN_ATTRIB"}, {8, "IN_CLOSE_WRITE"}, {0x10, "IN_CLOSE_NOWRITE"},
    {0x20, "IN_OPEN"}, {0x40, "IN_MOVED_FROM"}, {0x80, "IN_MOVED_TO"}, {0x100, "IN_CREATE"}, {0x200, "IN_DELETE"},
    {0x400, "IN_DELETE_SELF"}, {0x800, "IN_MOVE_SELF"}, {0x2000, "IN_UNMOUNT"}, {0x4000, "IN_Q_OVERFLOW"},
    {0x8000, "IN_IGNORED"}, {0x1000000, "IN_ONLYDIR"}, {0x2000000, "IN_DONT_FOLLOW"}, {0x4000000, "IN_EXCL_UNLINK"},
    {0x10000000, "IN_MASK_CREATE"}, {0x20000000, "IN_MASK_ADD"}, {0x40000000, "IN_ISDIR"},
    {0x80000000, "IN_ONESHOT"},
};

// sys/mount.h
inline constexpr Name kMountFlags[] = {
    {1, "MS_RDONLY"}, {2, "MS_NOSUID"}, {4, "MS_NODEV"}, {8, "MS_NOEXEC"}, {0x10, "MS_SYNCHRONOUS"},
    {0x20, "MS_REMOUNT"}, {0x40, "MS_MANDLOCK"}, {0x80, "MS_DIRSYNC"}, {0x400, "MS_NOATIME"},
    {0x800, "MS_NODIRATIME"}, {0x1000, "MS_BIND"}, {0x2000, "MS_MOVE"}, {0x4000, "MS_REC"}, {0x8000, "MS_SILENT"},
    {0x10000, "MS_POSIXACL"}, {0x20000, "MS_UNBINDABLE"}, {0x40000, "MS_PRIVATE"}, {0x80000, "MS_SLAVE"},
    {0x100000, "MS_SHARED"}, {0x200000, "MS_RELATIME"}, {0x1000000, "MS_STRICTATIME"}, {0x2000000, "MS_LAZYTIME"},
};

// sys/mount.h
inline constexpr Name kUmountFlags[] = {
    {1, "MNT_FORCE"}, {2, "MNT_DETACH"}, {4, "MNT_EXPIRE"}, {8, "UMOUNT_NOFOLLOW"},
};

// sched.h
inline constexpr Name kSchedPolicies[] = {
    {0, "SCHED_OTHER"}, {1, "SCHED_FIFO"}, {2, "SCHED_RR"}, {3, "SCHED_BATCH"}, {5, "SCHED_IDLE"},
    {6, "SCHED_DEADLINE"},
};

// fcntl.h
inline constexpr Name kSpliceFlags[] = {
    {1, "SPLICE_F_MOVE"}, {2, "SPLICE_F_NONBLOCK"}, {4, "SPLICE_F_MORE"}, {8, "SPLICE_F_GIFT"},
};

// sys/xattr.h
inline constexpr Name kXattrFlags[] = {
    {1, "XATTR_CREATE"}, {2, "XATTR_REPLACE"},
};

// sys/ipc.h
inline constexpr Name kIpcFlags[] = {
    {01000, "IPC_CREAT"}, {02000, "IPC_EXCL"}, {04000, "IPC_NOWAIT"}, {010000, "SHM_RDONLY"}, {020000, "SHM_RND"},
    {040000, "SHM_REMAP"},
};

// fcntl.h
inline constexpr Name kFdFlags[] = {
    {1, "FD_CLOEXEC"},
};

// sys/personality.h
inline constexpr Name kPersonality[] = {
    {0, "PER_LINUX"}, {0x20000, "UNAME26"}, {0x40000, "ADDR_NO_RANDOMIZE"}, {0x80000, "FDPIC_FUNCPTRS"},
    {0x100000, "MMAP_PAGE_ZERO"}, {0x200000, "ADDR_COMPAT_LAYOUT"}, {0x400000, "READ_IMPLIES_EXEC"},
    {0x800000, "ADDR_LIMIT_32BIT"}, {0x1000000, "SHORT_INODE"}, {0x2000000, "WHOLE_SECONDS"},
    {0x4000000, "STICKY_TIMEOUTS"}, {0x8000000, "ADDR_LIMIT_3GB"},
};

// linux/membarrier.h
inline constexpr Name kMembarrier[] = {
    {0, "MEMBARRIER_CMD_QUERY"}, {1, "MEMBARRIER_CMD_GLOBAL"}, {2, "MEMBARRIER_CMD_GLOBAL_EXPEDITED"},
    {4, "MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED"}, {8, "MEMBARRIER_CMD_PRIVATE_EXPEDITED"},
    {0x10, "MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED"}, {0x20, "MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE"},
    {0x40, "MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE"}, {0x80, "MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ"},
    {0x100, "MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ"},
};

// linux/close_range.h
inline constexpr Name kCloseRange[] = {
    {2, "CLOSE_RANGE_UNSHARE"}, {4, "CLOSE_RANGE_CLOEXEC"},
};

// linux/fs.h
inline constexpr Name kRwfFlags[] = {
    {1, "RWF_HIPRI"}, {2, "RWF_DSYNC"}, {4, "RWF_SYNC"}, {8, "RWF_NOWAIT"}, {0x10, "RWF_APPEND"},
};

// time.h
inline constexpr Name kClocks[] = {
    {0, "CLOCK_REALTIME"}, {1, "CLOCK_MONOTONIC"}, {2, "CLOCK_PROCESS_CPUTIME_ID"}, {3, "CLOCK_THREAD_CPUTIME_ID"},
    {4, "CLOCK_MONOTONIC_RAW"}, {5, "CLOCK_REALTIME_COARSE"}, {6, "CLOCK_MONOTONIC_COARSE"}, {7, "CLOCK_BOOTTIME"},
    {8, "CLOCK_REALTIME_ALARM"}, {9, "CLOCK_BOOTTIME_ALARM"}, {0xb, "CLOCK_TAI"},
};

// poll.h
inline constexpr Name kPollEvents[] = {
    {1, "POLLIN"}, {2, "POLLPRI"}, {4, "POLLOUT"}, {8, "POLLERR"}, {0x10, "POLLHUP"}, {0x20, "POLLNVAL"},
    {0x40, "POLLRDNORM"}, {0x80, "POLLRDBAND"}, {0x100, "POLLWRNORM"}, {0x200, "POLLWRBAND"}, {0x400, "POLLMSG"},
    {0x1000, "POLLREMOVE"}, {0x2000, "POLLRDHUP"},
};

// sys/epoll.h
inline constexpr Name kEpollEvents[] = {
    {1, "EPOLLIN"}, {2, "EPOLLPRI"}, {4, "EPOLLOUT"}, {8, "EPOLLERR"}, {0x10, "EPOLLHUP"}, {0x40, "EPOLLRDNORM"},
    {0x80, "EPOLLRDBAND"}, {0x100, "EPOLLWRNORM"}, {0x200, "EPOLLWRBAND"}, {0x400, "EPOLLMSG"},
    {0x2000, "EPOLLRDHUP"}, {0x10000000, "EPOLLEXCLUSIVE"}, {0x20000000, "EPOLLWAKEUP"},
    {0x40000000, "EPOLLONESHOT"}, {0x80000000, "EPOLLET"},
};

// asm/signal.h
inline constexpr Name kSigactionFlags[] = {
    {1, "SA_NOCLDSTOP"}, {2, "SA_NOCLDWAIT"}, {4, "SA_SIGINFO"}, {0x800, "SA_EXPOSE_TAGBITS"},
    {0x4000000, "SA_RESTORER"}, {0x8000000, "SA_ONSTACK"}, {0x10000000, "SA_RESTART"}, {0x40000000, "SA_NODEFER"},
    {0x80000000, "SA_RESETHAND"},
};

// sys/stat.h
inline constexpr Name kFileKinds[] = {
    {0140000, "S_IFSOCK"}, {0120000, "S_IFLNK"}, {0100000, "S_IFREG"}, {060000, "S_IFBLK"}, {040000, "S_IFDIR"},
    {020000, "S_IFCHR"}, {010000, "S_IFIFO"},
};

// include/linux/errno.h, not for user space
inline constexpr Name kRestartCodes[] = {
    {0x200, "ERESTARTSYS"}, {0x201, "ERESTARTNOINTR"}, {0x202, "ERESTARTNOHAND"}, {0x204, "ERESTART_RESTARTBLOCK"},
};

// siginfo.h
inline constexpr Name kSignalCodes[] = {
    {0, "SI_USER"}, {0x80, "SI_KERNEL"}, {0xffffffff, "SI_QUEUE"}, {0xfffffffe, "SI_TIMER"},
    {0xfffffffd, "SI_MESGQ"}, {0xfffffffc, "SI_ASYNCIO"}, {0xfffffffb, "SI_SIGIO"}, {0xfffffffa, "SI_TKILL"},
    {0xffffffc4, "SI_ASYNCNL"},
};

// siginfo.h: signal number << 8 | si_code
inline constexpr Name kFaultCodes[] = {
    {0x401, "ILL_ILLOPC"}, {0x402, "ILL_ILLOPN"}, {0x403, "ILL_ILLADR"}, {0x404, "ILL_ILLTRP"},
    {0x405, "ILL_PRVOPC"}, {0x406, "ILL_PRVREG"}, {0x407, "ILL_COPROC"}, {0x408, "ILL_BADSTK"},
    {0x801, "FPE_INTDIV"}, {0x802, "FPE_INTOVF"}, {0x803, "FPE_FLTDIV"}, {0x804, "FPE_FLTOVF"},
    {0x805, "FPE_FLTUND"}, {0x806, "FPE_FLTRES"}, {0x807, "FPE_FLTINV"}, {0x808, "FPE_FLTSUB"},
    {0xb01, "SEGV_MAPERR"}, {0xb02, "SEGV_ACCERR"}, {0xb03, "SEGV_BNDERR"}, {0xb04, "SEGV_PKUERR"},
    {0x701, "BUS_ADRALN"}, {0x702, "BUS_ADRERR"}, {0x703, "BUS_OBJERR"}, {0x704, "BUS_MCEERR_AR"},
    {0x705, "BUS_MCEERR_AO"}, {0x501, "TRAP_BRKPT"}, {0x502, "TRAP_TRACE"}, {0x503, "TRAP_BRANCH"},
    {0x504, "TRAP_HWBKPT"}, {0x1101, "CLD_EXITED"}, {0x1102, "CLD_KILLED"}, {0x1103, "CLD_DUMPED"},
    {0x1104, "CLD_TRAPPED"}, {0x1105, "CLD_STOPPED"}, {0x1106, "CLD_CONTINUED"}, {0x1d01, "POLL_IN"},
    {0x1d02, "POLL_OUT"}, {0x1d03, "POLL_MSG"}, {0x1d04, "POLL_ERR"}, {0x1d05, "POLL_PRI"}, {0x1d06, "POLL_HUP"},
    {0x1f01, "SYS_SECCOMP"}, {0x1f02, "SYS_USER_DISPATCH"},
};

// clang-format on

}  // namespace tmrec::syscalls::constants
