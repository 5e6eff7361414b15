// The commands of multiplexed calls other than ioctl (ioctls.h). Numbers from the uapi headers named at each list;
// written out because several are newer than the headers of the distribution.
#pragma once

#include <cstddef>

#include "syscalls/spell.h"

namespace tmrec::syscalls {

template <std::size_t N>
constexpr Commands commands_in(const Command (&list)[N], int arg, int first, std::int16_t unknown = 0) {
  return {.list = list,
          .count = static_cast<std::uint16_t>(N),
          .arg = static_cast<std::uint8_t>(arg),
          .first = static_cast<std::uint8_t>(first),
          .unknown = unknown};
}

namespace list {
using namespace spell;

inline constexpr std::int16_t kEperm = 1, kEinval = 22, kEnosys = 38, kEopnotsupp = 95;

// linux/fcntl.h, asm-generic/fcntl.h
inline constexpr Command kFcntlList[] = {
    cmd(0, "F_DUPFD", num),
    cmd(1, "F_GETFD"),
    cmd(2, "F_SETFD", flags_of(Type::FdFlags)),
    cmd(3, "F_GETFL"),
    cmd(4, "F_SETFL", flags_of(Type::OpenFlags)),
    cmd(5, "F_GETLK", inout(Type::Flock, abi::kFlock)),
    cmd(6, "F_SETLK", in(Type::Flock, abi::kFlock)),
    cmd(7, "F_SETLKW", in(Type::Flock, abi::kFlock)).waits(),
    cmd(8, "F_SETOWN", pid),
    cmd(9, "F_GETOWN"),
    cmd(10, "F_SETSIG", signo),
    cmd(11, "F_GETSIG"),
    cmd(15, "F_SETOWN_EX", in(Type::I32Pair, abi::kOwnerEx)),
    cmd(16, "F_GETOWN_EX", out(Type::I32Pair, abi::kOwnerEx)),
    cmd(17, "F_GETOWNER_UIDS", out(Type::I32Pair, 8)),
    cmd(36, "F_OFD_GETLK", inout(Type::Flock, abi::kFlock)),
    cmd(37, "F_OFD_SETLK", in(Type::Flock, abi::kFlock)),
    cmd(38, "F_OFD_SETLKW", in(Type::Flock, abi::kFlock)).waits(),
    cmd(1024, "F_SETLEASE", num),
    cmd(1025, "F_GETLEASE"),
    cmd(1026, "F_NOTIFY", hex),
    cmd(1027, "F_DUPFD_QUERY", fd),
    cmd(1028, "F_CREATED_QUERY"),
    cmd(1029, "F_CANCELLK", in(Type::Flock, abi::kFlock)),
    cmd(1030, "F_DUPFD_CLOEXEC", num),
    cmd(1031, "F_SETPIPE_SZ", num),
    cmd(1032, "F_GETPIPE_SZ"),
    cmd(1033, "F_ADD_SEALS", hex),
    cmd(1034, "F_GET_SEALS"),
    cmd(1035, "F_GET_RW_HINT", out(Type::I64, 8)),
    cmd(1036, "F_SET_RW_HINT", in(Type::I64, 8)),
    cmd(1037, "F_GET_FILE_RW_HINT", out(Type::I64, 8)),
    cmd(1038, "F_SET_FILE_RW_HINT", in(Type::I64, 8)),
};
inline constexpr Commands kFcntl = commands_in(kFcntlList, 1, 2, kEinval);

// linux/futex.h. The word of a PI operation is written by the kernel whatever the result: FUTEX_WAITERS is set before
// the caller sleeps, the owner is fixed up when it wakes (kernel/futex/pi.c).
inline constexpr Arg kWord = in(Type::FutexWord, 4);
inline constexpr Arg kWordWritten = inout(Type::FutexWord, 4, When::Always);
inline constexpr Arg kWordWaiting = inout(Type::FutexWord, 4, When::Waiting);
inline constexpr Command kFutexList[] = {
    cmd(0, "FUTEX_WAIT", kWord, num, timespec_in).waits(),
    cmd(1, "FUTEX_WAKE", ptr, num),
    cmd(2, "FUTEX_FD", ptr, num).refused(kEnosys, "removed from Linux 2.6.26"),
    cmd(3, "FUTEX_REQUEUE", ptr, num, num, ptr),
    cmd(4, "FUTEX_CMP_REQUEUE", kWord, num, num, ptr, num),
    cmd(5, "FUTEX_WAKE_OP", ptr, num, num, kWordWritten, hex),
    cmd(6, "FUTEX_LOCK_PI", kWordWaiting, num, timespec_in).waits(),
    cmd(7, "FUTEX_UNLOCK_PI", kWordWritten),
    cmd(8, "FUTEX_TRYLOCK_PI", kWordWritten),
    cmd(9, "FUTEX_WAIT_BITSET", kWord, num, timespec_in, ptr, hex).waits(),
    cmd(10, "FUTEX_WAKE_BITSET", ptr, num, num, ptr, hex),
    cmd(11, "FUTEX_WAIT_REQUEUE_PI", kWord, num, timespec_in, kWordWritten).waits(),
    cmd(12, "FUTEX_CMP_REQUEUE_PI", kWord, num, num, kWordWritten, num),
    cmd(13, "FUTEX_LOCK_PI2", kWordWaiting, num, timespec_in).waits(),
};
inline constexpr Commands kFutex = {.list = kFutexList,
                                    .count = sizeof kFutexList / sizeof *kFutexList,
                                    .arg = 1,
                                    .first = 0,
                                    .mask = 0xfffffe7f,
                                    .unknown = kEnosys};

// linux/prctl.h. An option that is not listed is refused: what it does to memory or to tmrec is unknown.
inline constexpr const char* kTscWhy = "tmrec uses PR_SET_TSC itself";
inline constexpr Command kPrctlList[] = {
    cmd(1, "PR_SET_PDEATHSIG", signo),
    cmd(2, "PR_GET_PDEATHSIG", out(Type::I32, 4)),
    cmd(3, "PR_GET_DUMPABLE").as(Policy::Virtual, "a process that is not dumpable hides its memory from tmrec"),
    cmd(4, "PR_SET_DUMPABLE", num).as(Policy::Virtual, "a process that is not dumpable hides its memory from tmrec"),
    cmd(5, "PR_GET_UNALIGN").refused(kEinval, "not on x86-64"),
    cmd(6, "PR_SET_UNALIGN").refused(kEinval, "not on x86-64"),
    cmd(7, "PR_GET_KEEPCAPS"),
    cmd(8, "PR_SET_KEEPCAPS", num),
    cmd(9, "PR_GET_FPEMU").refused(kEinval, "not on x86-64"),
    cmd(10, "PR_SET_FPEMU").refused(kEinval, "not on x86-64"),
    cmd(11, "PR_GET_FPEXC").refused(kEinval, "not on x86-64"),
    cmd(12, "PR_SET_FPEXC").refused(kEinval, "not on x86-64"),
    cmd(13, "PR_GET_TIMING"),
    cmd(14, "PR_SET_TIMING", num),
    cmd(15, "PR_SET_NAME", in(Type::Text, 16)),
    cmd(16, "PR_GET_NAME", out(Type::Text, 16)),
    cmd(19, "PR_GET_ENDIAN").refused(kEinval, "not on x86-64"),
    cmd(20, "PR_SET_ENDIAN").refused(kEinval, "not on x86-64"),
    cmd(21, "PR_GET_SECCOMP"),
    cmd(22, "PR_SET_SECCOMP", num, in(Type::Raw, abi::kSockFprog)),
    cmd(23, "PR_CAPBSET_READ", num),
    cmd(24, "PR_CAPBSET_DROP", num),
    cmd(25, "PR_GET_TSC", out(Type::I32, 4)).as(Policy::Virtual, kTscWhy),
    cmd(26, "PR_SET_TSC", num).as(Policy::Virtual, kTscWhy),
    cmd(27, "PR_GET_SECUREBITS"),
    cmd(28, "PR_SET_SECUREBITS", hex),
    cmd(29, "PR_SET_TIMERSLACK", unum),
    cmd(30, "PR_GET_TIMERSLACK"),
    cmd(31, "PR_TASK_PERF_EVENTS_DISABLE"),
    cmd(32, "PR_TASK_PERF_EVENTS_ENABLE"),
    cmd(33, "PR_MCE_KILL", num, num),
    cmd(34, "PR_MCE_KILL_GET"),
    cmd(35, "PR_SET_MM", num, hex, hex).refused(kEperm, "moves the heap and stack bounds that replay rebuilds"),
    cmd(36, "PR_SET_CHILD_SUBREAPER", num),
    cmd(37, "PR_GET_CHILD_SUBREAPER", out(Type::I32, 4)),
    cmd(38, "PR_SET_NO_NEW_PRIVS", num),
    cmd(39, "PR_GET_NO_NEW_PRIVS"),
    cmd(40, "PR_GET_TID_ADDRESS", out(Type::I64, 8)),
    cmd(41, "PR_SET_THP_DISABLE", num, num),
    cmd(42, "PR_GET_THP_DISABLE"),
    cmd(45, "PR_SET_FP_MODE").refused(kEinval, "not on x86-64"),
    cmd(46, "PR_GET_FP_MODE").refused(kEinval, "not on x86-64"),
    cmd(47, "PR_CAP_AMBIENT", num, num),
    cmd(52, "PR_GET_SPECULATION_CTRL", num),
    cmd(53, "PR_SET_SPECULATION_CTRL", num, hex),
    cmd(57, "PR_SET_IO_FLUSHER", num),
    cmd(58, "PR_GET_IO_FLUSHER"),
    cmd(59, "PR_SET_SYSCALL_USER_DISPATCH", num, hex, count, ptr)
        .refused(kEinval, "catches system calls before tmrec sees them"),
    cmd(62, "PR_SCHED_CORE", num, pid, num, out(Type::I64, 8)),
    cmd(65, "PR_SET_MDWE", hex).refused(kEinval, "would keep tmrec from patching code"),
    cmd(66, "PR_GET_MDWE"),
    cmd(67, "PR_SET_MEMORY_MERGE", num),
    cmd(68, "PR_GET_MEMORY_MERGE"),
    cmd(0x41555856, "PR_GET_AUXV", filled(2), count),
    cmd(0x53564d41, "PR_SET_VMA", num, ptr, count, path),
    cmd(0x59616d61, "PR_SET_PTRACER", pid),
};
inline constexpr Commands kPrctl = commands_in(kPrctlList, 0, 1, kEinval);

// asm/prctl.h
inline constexpr const char* kShadowStackWhy = "shadow stacks are not recorded";
inline constexpr Command kArchPrctlList[] = {
    cmd(0x1001, "ARCH_SET_GS", hex),
    cmd(0x1002, "ARCH_SET_FS", hex),
    cmd(0x1003, "ARCH_GET_FS", out(Type::I64, 8)),
    cmd(0x1004, "ARCH_GET_GS", out(Type::I64, 8)).as(Policy::Virtual, "%gs is tmrec's"),
    cmd(0x1011, "ARCH_GET_CPUID").as(Policy::Virtual, "tmrec uses CPUID faulting itself"),
    cmd(0x1012, "ARCH_SET_CPUID", num).as(Policy::Virtual, "tmrec uses CPUID faulting itself"),
    cmd(0x1021, "ARCH_GET_XCOMP_SUPP", out(Type::I64, 8)),
    cmd(0x1022, "ARCH_GET_XCOMP_PERM", out(Type::I64, 8)),
    cmd(0x1023, "ARCH_REQ_XCOMP_PERM", num).refused(kEopnotsupp, "AMX state is not recorded"),
    cmd(0x1024, "ARCH_GET_XCOMP_GUEST_PERM", out(Type::I64, 8)),
    cmd(0x1025, "ARCH_REQ_XCOMP_GUEST_PERM", num),
    cmd(0x2001, "ARCH_MAP_VDSO_X32", hex).refused(kEinval, "maps a second vdso"),
    cmd(0x2002, "ARCH_MAP_VDSO_32", hex).refused(kEinval, "maps a second vdso"),
    cmd(0x2003, "ARCH_MAP_VDSO_64", hex).refused(kEinval, "maps a second vdso"),
    cmd(0x4001, "ARCH_GET_UNTAG_MASK", out(Type::I64, 8)),
    cmd(0x4002, "ARCH_ENABLE_TAGGED_ADDR", num).refused(kEinval, "tagged addresses depend on the CPU"),
    cmd(0x4003, "ARCH_GET_MAX_TAG_BITS", out(Type::I64, 8)),
    cmd(0x5001, "ARCH_SHSTK_ENABLE", hex).refused(kEinval, kShadowStackWhy),
    cmd(0x5002, "ARCH_SHSTK_DISABLE", hex).refused(kEinval, kShadowStackWhy),
    cmd(0x5003, "ARCH_SHSTK_LOCK", hex).refused(kEinval, kShadowStackWhy),
    cmd(0x5004, "ARCH_SHSTK_UNLOCK", hex).refused(kEinval, kShadowStackWhy),
    cmd(0x5005, "ARCH_SHSTK_STATUS", out(Type::I64, 8)).refused(kEinval, kShadowStackWhy),
};
inline constexpr Commands kArchPrctl = commands_in(kArchPrctlList, 0, 1, kEinval);

// asm-generic/mman-common.h. Advice that changes content must mean the same at replay, so what is newer than Linux 5.14
// is refused as an older kernel does; glibc and allocators fall back.
inline constexpr Command kMadviseList[] = {
    cmd(0, "MADV_NORMAL").as(Policy::Memory),
    cmd(1, "MADV_RANDOM").as(Policy::Memory),
    cmd(2, "MADV_SEQUENTIAL").as(Policy::Memory),
    cmd(3, "MADV_WILLNEED").as(Policy::Memory),
    cmd(4, "MADV_DONTNEED").as(Policy::Memory),
    cmd(8, "MADV_FREE").as(Policy::Memory, "must be performed as MADV_DONTNEED: when pages vanish is up to the kernel"),
    cmd(9, "MADV_REMOVE").as(Policy::Memory, "punches a hole into the mapped file"),
    cmd(10, "MADV_DONTFORK").as(Policy::Memory),
    cmd(11, "MADV_DOFORK").as(Policy::Memory),
    cmd(12, "MADV_MERGEABLE").as(Policy::Memory),
    cmd(13, "MADV_UNMERGEABLE").as(Policy::Memory),
    cmd(14, "MADV_HUGEPAGE").as(Policy::Memory),
    cmd(15, "MADV_NOHUGEPAGE").as(Policy::Memory),
    cmd(16, "MADV_DONTDUMP").as(Policy::Memory),
    cmd(17, "MADV_DODUMP").as(Policy::Memory),
    cmd(18, "MADV_WIPEONFORK").as(Policy::Memory),
    cmd(19, "MADV_KEEPONFORK").as(Policy::Memory),
    cmd(20, "MADV_COLD").as(Policy::Memory),
    cmd(21, "MADV_PAGEOUT").as(Policy::Memory),
    cmd(22, "MADV_POPULATE_READ").as(Policy::Memory),
    cmd(23, "MADV_POPULATE_WRITE").as(Policy::Memory),
    cmd(24, "MADV_DONTNEED_LOCKED").refused(kEinval, "newer than the kernels replay runs on"),
    cmd(25, "MADV_COLLAPSE").refused(kEinval, "newer than the kernels replay runs on"),
    cmd(100, "MADV_HWPOISON").refused(kEperm, "destroys memory of the machine"),
    cmd(101, "MADV_SOFT_OFFLINE").refused(kEperm, "destroys memory of the machine"),
    cmd(102, "MADV_GUARD_INSTALL").refused(kEinval, "newer than the kernels replay runs on"),
    cmd(103, "MADV_GUARD_REMOVE").refused(kEinval, "newer than the kernels replay runs on"),
};
inline constexpr Commands kMadvise = commands_in(kMadviseList, 2, 3, kEinval);

// process_madvise takes the hints of madvise; those that change content came with Linux 6.13.
inline constexpr Command kProcessMadviseList[] = {
    cmd(3, "MADV_WILLNEED", hex),
    cmd(20, "MADV_COLD", hex),
    cmd(21, "MADV_PAGEOUT", hex),
    cmd(25, "MADV_COLLAPSE", hex),
};
inline constexpr Commands kProcessMadvise = commands_in(kProcessMadviseList, 3, 4, kEinval);

// linux/sem.h, linux/ipc.h. SEMMSL bounds a set at 32,000 semaphores of 2 bytes; how many it has only the kernel knows.
inline constexpr Command kSemctlList[] = {
    cmd(0, "IPC_RMID"),
    cmd(1, "IPC_SET", in(Type::Raw, abi::kSemidDs)),
    cmd(2, "IPC_STAT", out(Type::Raw, abi::kSemidDs)),
    cmd(3, "IPC_INFO", out(Type::Raw, abi::kSeminfo)),
    cmd(11, "GETPID"),
    cmd(12, "GETVAL"),
    cmd(13, "GETALL", up_to(64000)),
    cmd(14, "GETNCNT"),
    cmd(15, "GETZCNT"),
    cmd(16, "SETVAL", num),
    cmd(17, "SETALL", ptr),
    cmd(18, "SEM_STAT", out(Type::Raw, abi::kSemidDs)),
    cmd(19, "SEM_INFO", out(Type::Raw, abi::kSeminfo)),
    cmd(20, "SEM_STAT_ANY", out(Type::Raw, abi::kSemidDs)),
};
inline constexpr Commands kSemctl = commands_in(kSemctlList, 2, 3, kEinval);

// linux/msg.h
inline constexpr Command kMsgctlList[] = {
    cmd(0, "IPC_RMID"),
    cmd(1, "IPC_SET", in(Type::Raw, abi::kMsqidDs)),
    cmd(2, "IPC_STAT", out(Type::Raw, abi::kMsqidDs)),
    cmd(3, "IPC_INFO", out(Type::Raw, abi::kMsginfo)),
    cmd(11, "MSG_STAT", out(Type::Raw, abi::kMsqidDs)),
    cmd(12, "MSG_INFO", out(Type::Raw, abi::kMsginfo)),
    cmd(13, "MSG_STAT_ANY", out(Type::Raw, abi::kMsqidDs)),
};
inline constexpr Commands kMsgctl = commands_in(kMsgctlList, 1, 2, kEinval);

// linux/shm.h
inline constexpr Command kShmctlList[] = {
    cmd(0, "IPC_RMID"),
    cmd(1, "IPC_SET", in(Type::Raw, abi::kShmidDs)),
    cmd(2, "IPC_STAT", out(Type::Raw, abi::kShmidDs)),
    cmd(3, "IPC_INFO", out(Type::Raw, abi::kShminfo)),
    cmd(11, "SHM_LOCK"),
    cmd(12, "SHM_UNLOCK"),
    cmd(13, "SHM_STAT", out(Type::Raw, abi::kShmidDs)),
    cmd(14, "SHM_INFO", out(Type::Raw, abi::kShmInfo)),
    cmd(15, "SHM_STAT_ANY", out(Type::Raw, abi::kShmidDs)),
};
inline constexpr Commands kShmctl = commands_in(kShmctlList, 1, 2, kEinval);

// linux/keyctl.h. Reads return the full size, which may exceed the buffer.
inline constexpr Command kKeyctlList[] = {
    cmd(0, "KEYCTL_GET_KEYRING_ID", num, num),
    cmd(1, "KEYCTL_JOIN_SESSION_KEYRING", path),
    cmd(2, "KEYCTL_UPDATE", num, in_array(3), count),
    cmd(3, "KEYCTL_REVOKE", num),
    cmd(4, "KEYCTL_CHOWN", num, uid, uid),
    cmd(5, "KEYCTL_SETPERM", num, hex),
    cmd(6, "KEYCTL_DESCRIBE", num, filled(3), count),
    cmd(7, "KEYCTL_CLEAR", num),
    cmd(8, "KEYCTL_LINK", num, num),
    cmd(9, "KEYCTL_UNLINK", num, num),
    cmd(10, "KEYCTL_SEARCH", num, path, path, num),
    cmd(11, "KEYCTL_READ", num, filled(3), count),
    cmd(12, "KEYCTL_INSTANTIATE", num, in_array(3), count, num),
    cmd(13, "KEYCTL_NEGATE", num, num, num),
    cmd(14, "KEYCTL_SET_REQKEY_KEYRING", num),
    cmd(15, "KEYCTL_SET_TIMEOUT", num, num),
    cmd(16, "KEYCTL_ASSUME_AUTHORITY", num),
    cmd(17, "KEYCTL_GET_SECURITY", num, filled(3), count),
    cmd(18, "KEYCTL_SESSION_TO_PARENT"),
    cmd(19, "KEYCTL_REJECT", num, num, num, num),
    cmd(20, "KEYCTL_INSTANTIATE_IOV", num, iov(Dir::In, 3), count, num),
    cmd(21, "KEYCTL_INVALIDATE", num),
    cmd(22, "KEYCTL_GET_PERSISTENT", uid, num),
    cmd(23, "KEYCTL_DH_COMPUTE", in(Type::Raw, 12), filled(3), count, ptr),
    cmd(24, "KEYCTL_PKEY_QUERY", num, ptr, path, out(Type::Raw, 64)),
    cmd(25, "KEYCTL_PKEY_ENCRYPT", in(Type::Raw, 32), path, ptr, up_to(65535)),
    cmd(26, "KEYCTL_PKEY_DECRYPT", in(Type::Raw, 32), path, ptr, up_to(65535)),
    cmd(27, "KEYCTL_PKEY_SIGN", in(Type::Raw, 32), path, ptr, up_to(65535)),
    cmd(28, "KEYCTL_PKEY_VERIFY", in(Type::Raw, 32), path, ptr, ptr),
    cmd(29, "KEYCTL_RESTRICT_KEYRING", num, path, path),
    cmd(30, "KEYCTL_MOVE", num, num, num, hex),
    cmd(31, "KEYCTL_CAPABILITIES", out_array(2), count),  // cleared to its end
    cmd(32, "KEYCTL_WATCH_KEY", num, fd, num),
};
inline constexpr Commands kKeyctl = commands_in(kKeyctlList, 0, 1, kEopnotsupp);

// linux/quota.h, linux/dqblk_xfs.h. The upper 24 bits of the first argument.
inline constexpr Command kQuotaList[] = {
    cmd(0x800001, "Q_SYNC"),
    cmd(0x800002, "Q_QUOTAON", path),
    cmd(0x800003, "Q_QUOTAOFF"),
    cmd(0x800004, "Q_GETFMT", out(Type::U32, 4)),
    cmd(0x800005, "Q_GETINFO", out(Type::Raw, 24)),
    cmd(0x800006, "Q_SETINFO", in(Type::Raw, 24)),
    cmd(0x800007, "Q_GETQUOTA", out(Type::Raw, 72)),
    cmd(0x800008, "Q_SETQUOTA", in(Type::Raw, 72)),
    cmd(0x800009, "Q_GETNEXTQUOTA", out(Type::Raw, 72)),
    cmd(0x5801, "Q_XQUOTAON", in(Type::U32, 4)),
    cmd(0x5802, "Q_XQUOTAOFF", in(Type::U32, 4)),
    cmd(0x5803, "Q_XGETQUOTA", out(Type::Raw, 112)),
    cmd(0x5804, "Q_XSETQLIM", in(Type::Raw, 112)),
    cmd(0x5805, "Q_XGETQSTAT", out(Type::Raw, 80)),
    cmd(0x5806, "Q_XQUOTARM", in(Type::U32, 4)),
    cmd(0x5807, "Q_XQUOTASYNC"),
    cmd(0x5808, "Q_XGETQSTATV", inout(Type::Raw, 160)),
    cmd(0x5809, "Q_XGETNEXTQUOTA", out(Type::Raw, 112)),
};
inline constexpr Commands kQuotactl = {.list = kQuotaList,
                                       .count = sizeof kQuotaList / sizeof *kQuotaList,
                                       .arg = 0,
                                       .first = 3,
                                       .shift = 8,
                                       .mask = 0xffffff,
                                       .unknown = kEinval};
inline constexpr Commands kQuotactlFd = {.list = kQuotaList,
                                         .count = sizeof kQuotaList / sizeof *kQuotaList,
                                         .arg = 1,
                                         .first = 3,
                                         .shift = 8,
                                         .mask = 0xffffff,
                                         .unknown = kEinval};

// kernel/printk: do_syslog
inline constexpr Command kSyslogList[] = {
    cmd(0, "SYSLOG_ACTION_CLOSE"),
    cmd(1, "SYSLOG_ACTION_OPEN"),
    cmd(2, "SYSLOG_ACTION_READ", filled(2), count).waits(),
    cmd(3, "SYSLOG_ACTION_READ_ALL", filled(2), count),
    cmd(4, "SYSLOG_ACTION_READ_CLEAR", filled(2), count),
    cmd(5, "SYSLOG_ACTION_CLEAR"),
    cmd(6, "SYSLOG_ACTION_CONSOLE_OFF"),
    cmd(7, "SYSLOG_ACTION_CONSOLE_ON"),
    cmd(8, "SYSLOG_ACTION_CONSOLE_LEVEL", ptr, num),
    cmd(9, "SYSLOG_ACTION_SIZE_UNREAD"),
    cmd(10, "SYSLOG_ACTION_SIZE_BUFFER"),
};
inline constexpr Commands kSyslog = commands_in(kSyslogList, 0, 1, kEinval);

// fs/filesystems.c: sysfs(2)
inline constexpr Command kSysfsList[] = {
    cmd(1, "1", path),
    cmd(2, "2", unum, up_to(64)),
    cmd(3, "3"),
};
inline constexpr Commands kSysfs = commands_in(kSysfsList, 0, 1, kEinval);

// linux/seccomp.h
inline constexpr Command kSeccompList[] = {
    cmd(0, "SECCOMP_SET_MODE_STRICT", hex, ptr),
    cmd(1, "SECCOMP_SET_MODE_FILTER", hex, in(Type::Raw, abi::kSockFprog)),
    cmd(2, "SECCOMP_GET_ACTION_AVAIL", hex, in(Type::U32, 4)),
    cmd(3, "SECCOMP_GET_NOTIF_SIZES", hex, out(Type::Raw, 6)),
};
inline constexpr Commands kSeccomp = commands_in(kSeccompList, 0, 1, kEinval);

}  // namespace list
}  // namespace tmrec::syscalls
