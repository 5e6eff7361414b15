#include "syscalls/print_structs.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "syscalls/abi.h"
#include "syscalls/names.h"
#include "syscalls/print.h"

namespace tmrec::syscalls {

namespace {

// The value at an offset; the callers have checked the size.
template <class T>
T get(ByteView b, std::size_t offset) {
  T value{};
  if (offset + sizeof value <= b.size()) std::memcpy(&value, b.data() + offset, sizeof value);
  return value;
}
constexpr auto i16 = get<std::int16_t>;
constexpr auto u16 = get<std::uint16_t>;
constexpr auto i32 = get<std::int32_t>;
constexpr auto u32 = get<std::uint32_t>;
constexpr auto i64 = get<std::int64_t>;
constexpr auto u64 = get<std::uint64_t>;

std::string escaped(ByteView bytes) {
  std::string text;
  for (const std::uint8_t c : bytes) {
    switch (c) {
      case '\n':
        text += "\\n";
        break;
      case '\t':
        text += "\\t";
        break;
      case '\r':
        text += "\\r";
        break;
      case '"':
        text += "\\\"";
        break;
      case '\\':
        text += "\\\\";
        break;
      default:
        text += c >= 0x20 && c < 0x7f ? std::string(1, static_cast<char>(c)) : fmt::format("\\x{:02x}", c);
    }
  }
  return text;
}

std::string timespec_text(ByteView b) { return fmt::format("{{tv_sec={}, tv_nsec={}}}", i64(b, 0), i64(b, 8)); }
std::string timeval_text(ByteView b) { return fmt::format("{{tv_sec={}, tv_usec={}}}", i64(b, 0), i64(b, 8)); }

std::string stat_text(ByteView b) {
  const std::uint32_t mode = u32(b, 24);
  const std::uint64_t rdev = u64(b, 40);
  if ((mode & 0170000) == 0020000 || (mode & 0170000) == 0060000)
    return fmt::format("{{st_mode={}, st_rdev={:#x}, ...}}", file_mode_text(mode), rdev);
  return fmt::format("{{st_mode={}, st_size={}, ...}}", file_mode_text(mode), i64(b, 48));
}

std::string statx_text(ByteView b) {
  return fmt::format("{{stx_mask={}, stx_mode={}, stx_size={}, ...}}", named_value(Type::StatxMask, u32(b, 0)),
                     file_mode_text(u16(b, 28)), u64(b, 40));
}

std::string rlimit_value(std::uint64_t v) {
  if (v == ~0ull) return "RLIM64_INFINITY";
  return v && v % 1024 == 0 ? fmt::format("{}*1024", v / 1024) : std::to_string(v);
}

std::string flock_text(ByteView b) {
  static constexpr const char* kTypes[] = {"F_RDLCK", "F_WRLCK", "F_UNLCK"};
  const std::uint16_t type = u16(b, 0);
  return fmt::format("{{l_type={}, l_whence={}, l_start={}, l_len={}, l_pid={}}}",
                     type < 3 ? kTypes[type] : std::to_string(type), named_value(Type::Whence, u16(b, 2)), i64(b, 8),
                     i64(b, 16), i32(b, 24));
}

std::string sigaction_text(ByteView b) {
  const std::uint64_t handler = u64(b, 0);
  const std::string name = handler == 0 ? "SIG_DFL" : handler == 1 ? "SIG_IGN" : fmt::format("{:#x}", handler);
  return fmt::format("{{sa_handler={}, sa_mask={}, sa_flags={}}}", name, sigset_text(u64(b, 24)),
                     sigaction_flags_text(u64(b, 8)));
}

std::string fd_set_text(ByteView b) {
  constexpr std::size_t kMost = 1024;  // descriptors: FD_SETSIZE
  std::string text = "[";
  for (std::size_t i = 0; i < std::min(b.size() * 8, kMost); ++i)
    if (b[i / 8] >> (i % 8) & 1) text += (text.size() > 1 ? " " : "") + std::to_string(i);
  return text + "]";
}

// Elements of a fixed size, the first few of them.
template <class F>
std::string array_text(ByteView b, std::size_t size, F&& element) {
  constexpr std::size_t kShown = 8;
  std::string text = "[";
  const std::size_t n = b.size() / size;
  for (std::size_t i = 0; i < std::min(n, kShown); ++i) text += (i ? ", " : "") + element(b.subspan(i * size, size));
  return text + (n > kShown ? ", ...]" : "]");
}

std::string poll_text(ByteView b, bool output) {
  return array_text(b, abi::kPollFd, [&](ByteView p) {
    return output ? fmt::format("{{fd={}, revents={}}}", i32(p, 0), poll_events_text(u16(p, 6)))
                  : fmt::format("{{fd={}, events={}}}", i32(p, 0), poll_events_text(u16(p, 4)));
  });
}

std::string epoll_text(ByteView b) {
  return array_text(b, abi::kEpollEvent, [](ByteView p) {
    return fmt::format("{{events={}, data={:#x}}}", epoll_events_text(u32(p, 0)), u64(p, 4));
  });
}

std::string utsname_text(ByteView b) {
  const auto field = [&](int i) { return quoted_string(b.subspan(static_cast<std::size_t>(i) * 65, 65)); };
  return fmt::format("{{sysname={}, nodename={}, release={}, ...}}", field(0), field(1), field(2));
}

// linux_dirent64: inode, offset, length, type, name; linux_dirent has its type at the end.
std::string dirents_text(ByteView b, std::size_t name_offset) {
  std::string names;
  std::size_t n = 0;
  for (std::size_t at = 0; at + name_offset < b.size(); ++n) {
    const std::uint16_t len = u16(b, at + 16);
    if (len <= name_offset || at + len > b.size()) break;
    if (n < 3) names += (n ? ", " : "") + quoted_string(b.subspan(at + name_offset, len - name_offset));
    at += len;
  }
  return fmt::format("[{}{}] /* {} entries */", names, n > 3 ? ", ..." : "", n);
}

std::string termios_text(ByteView b) {
  return fmt::format("{{c_iflag={:#x}, c_oflag={:#x}, c_cflag={:#x}, c_lflag={:#x}, ...}}", u32(b, 0), u32(b, 4),
                     u32(b, 8), u32(b, 12));
}

// clone3 has flags beyond the 32 bits of clone.
std::string clone_args_text(ByteView b) {
  const std::uint64_t flags = u64(b, 0);
  std::string names = flags & 0xffffffff ? named_value(Type::CloneFlags, flags) : "";
  if (flags >> 32 & 1) names += names.empty() ? "CLONE_CLEAR_SIGHAND" : "|CLONE_CLEAR_SIGHAND";
  if (flags >> 33 & 1) names += names.empty() ? "CLONE_INTO_CGROUP" : "|CLONE_INTO_CGROUP";
  return fmt::format("{{flags={}, exit_signal={}, stack={:#x}, stack_size={:#x}, ...}}", names.empty() ? "0" : names,
                     u64(b, 32) ? signal_name(static_cast<int>(u64(b, 32))) : "0", u64(b, 40), u64(b, 48));
}

// Types whose text needs a number of bytes.
struct Printer {
  Type type;
  std::size_t size;
  std::string (*text)(ByteView);
};

const Printer kPrinters[] = {
    {Type::Stat, abi::kStat, stat_text},
    {Type::Statx, abi::kStatx, statx_text},
    {Type::Statfs, abi::kStatfs,
     [](ByteView b) {
       return fmt::format("{{f_type={:#x}, f_bsize={}, f_blocks={}, f_bfree={}, ...}}", u64(b, 0), i64(b, 8),
                          u64(b, 16), u64(b, 24));
     }},
    {Type::Timespec, abi::kTimespec, timespec_text},
    {Type::Timeval, abi::kTimeval, timeval_text},
    {Type::TimespecPair, 32,
     [](ByteView b) { return fmt::format("[{}, {}]", timespec_text(b), timespec_text(b.subspan(16))); }},
    {Type::TimevalPair, 32,
     [](ByteView b) { return fmt::format("[{}, {}]", timeval_text(b), timeval_text(b.subspan(16))); }},
    {Type::Itimerval, abi::kItimerval,
     [](ByteView b) {
       return fmt::format("{{it_interval={}, it_value={}}}", timeval_text(b), timeval_text(b.subspan(16)));
     }},
    {Type::Itimerspec, abi::kItimerspec,
     [](ByteView b) {
       return fmt::format("{{it_interval={}, it_value={}}}", timespec_text(b), timespec_text(b.subspan(16)));
     }},
    {Type::Sigset, abi::kSigset, [](ByteView b) { return sigset_text(u64(b, 0)); }},
    {Type::Sigaction, abi::kSigaction, sigaction_text},
    {Type::Siginfo, 24, siginfo_text},
    {Type::StackT, abi::kStackT,
     [](ByteView b) {
       return fmt::format("{{ss_sp={:#x}, ss_flags={:#x}, ss_size={}}}", u64(b, 0), u32(b, 8), u64(b, 16));
     }},
    {Type::Rusage, abi::kRusage,
     [](ByteView b) {
       return fmt::format("{{ru_utime={}, ru_stime={}, ...}}", timeval_text(b), timeval_text(b.subspan(16)));
     }},
    {Type::Rlimit, abi::kRlimit,
     [](ByteView b) {
       return fmt::format("{{rlim_cur={}, rlim_max={}}}", rlimit_value(u64(b, 0)), rlimit_value(u64(b, 8)));
     }},
    {Type::Sockaddr, 2, sockaddr_text},
    {Type::FdSet, 8, fd_set_text},
    {Type::EpollEvents, abi::kEpollEvent, epoll_text},
    {Type::I32, 4, [](ByteView b) { return fmt::format("[{}]", i32(b, 0)); }},
    {Type::U32, 4, [](ByteView b) { return fmt::format("[{}]", u32(b, 0)); }},
    {Type::I64, 8, [](ByteView b) { return fmt::format("[{}]", i64(b, 0)); }},
    {Type::I32Pair, 8, [](ByteView b) { return fmt::format("[{}, {}]", i32(b, 0), i32(b, 4)); }},
    {Type::FutexWord, 4, [](ByteView b) { return fmt::format("[{:#x}]", u32(b, 0)); }},
    {Type::U32Array, 4,
     [](ByteView b) { return array_text(b, 4, [](ByteView e) { return std::to_string(u32(e, 0)); }); }},
    {Type::WaitStatus, 4, [](ByteView b) { return wait_status_text(i32(b, 0)); }},
    {Type::Utsname, abi::kUtsname, utsname_text},
    {Type::Sysinfo, abi::kSysinfo,
     [](ByteView b) {
       return fmt::format("{{uptime={}, totalram={}, freeram={}, procs={}, ...}}", i64(b, 0), u64(b, 32), u64(b, 40),
                          u16(b, 80));
     }},
    {Type::Tms, abi::kTms,
     [](ByteView b) { return fmt::format("{{tms_utime={}, tms_stime={}, ...}}", i64(b, 0), i64(b, 8)); }},
    {Type::Dirents, 20, [](ByteView b) { return dirents_text(b, 19); }},
    {Type::OldDirents, 20, [](ByteView b) { return dirents_text(b, 18); }},
    {Type::Termios, abi::kTermios, termios_text},
    {Type::Winsize, abi::kWinsize,
     [](ByteView b) { return fmt::format("{{ws_row={}, ws_col={}, ...}}", u16(b, 0), u16(b, 2)); }},
    {Type::Flock, abi::kFlock, flock_text},
    {Type::OpenHow, abi::kOpenHow,
     [](ByteView b) {
       return fmt::format("{{flags={}, mode={:#o}, resolve={:#x}}}", named_value(Type::OpenFlags, u64(b, 0)), u64(b, 8),
                          u64(b, 16));
     }},
    {Type::CloneArgs, 64, clone_args_text},
    {Type::Sigevent, 16,
     [](ByteView b) {
       return fmt::format("{{sigev_signo={}, sigev_notify={}, ...}}", signal_name(i32(b, 8)), i32(b, 12));
     }},
    {Type::Ifreq, abi::kIfreq,
     [](ByteView b) { return fmt::format("{{ifr_name={}, ...}}", quoted_string(b.first(16))); }},
};

}  // namespace

std::string quoted(ByteView bytes, std::uint64_t total, std::uint64_t most) {
  const ByteView shown = bytes.first(std::min<std::uint64_t>(bytes.size(), most));
  return fmt::format("\"{}\"{}", escaped(shown), total > shown.size() ? "..." : "");
}

std::string quoted_string(ByteView bytes) {
  const auto end = std::find(bytes.begin(), bytes.end(), 0);
  const auto len = static_cast<std::size_t>(end - bytes.begin());
  return fmt::format("\"{}\"{}", escaped(bytes.first(len)), end == bytes.end() ? "..." : "");
}

std::string sockaddr_text(ByteView b) {
  if (b.size() < 2) return {};
  const std::uint16_t family = u16(b, 0);
  const std::string head = "{sa_family=" + named_value(Type::Family, family);
  char text[INET6_ADDRSTRLEN] = "";
  if (family == 1 && b.size() > 2) {  // AF_UNIX; a leading NUL makes the name abstract
    const ByteView path = b.subspan(2);
    return head + (path[0] ? ", sun_path=" + quoted_string(path) : ", sun_path=@" + quoted(path.subspan(1), 0, 107)) +
           "}";
  }
  if (family == 2 && b.size() >= 8) {  // AF_INET
    inet_ntop(AF_INET, b.data() + 4, text, sizeof text);
    return fmt::format("{}, sin_port=htons({}), sin_addr={}}}", head, ntohs(u16(b, 2)), text);
  }
  if (family == 10 && b.size() >= 24) {  // AF_INET6
    inet_ntop(AF_INET6, b.data() + 8, text, sizeof text);
    return fmt::format("{}, sin6_port=htons({}), sin6_addr={}}}", head, ntohs(u16(b, 2)), text);
  }
  if (family == 16 && b.size() >= 12)  // AF_NETLINK
    return fmt::format("{}, nl_pid={}, nl_groups={:#x}}}", head, u32(b, 4), u32(b, 8));
  return head + "}";
}

std::string siginfo_text(ByteView b) {
  if (b.size() < 24) return {};
  const int signo = i32(b, 0), code = i32(b, 8);
  const std::string head =
      fmt::format("{{si_signo={}, si_code={}", signo ? signal_name(signo) : "0", signal_code_text(signo, code));
  constexpr int kChild = 17, kTimer = -2;
  if (signo == kChild && code > 0) {
    const int status = i32(b, 24);
    return fmt::format("{}, si_pid={}, si_uid={}, si_status={}}}", head, i32(b, 16), u32(b, 20),
                       code == 1 ? std::to_string(status) : signal_name(status));
  }
  const bool fault = code > 0 && code != 0x80 && (signo == 4 || signo == 5 || signo == 7 || signo == 8 || signo == 11);
  if (fault) return fmt::format("{}, si_addr={:#x}}}", head, u64(b, 16));
  if (code == kTimer) return fmt::format("{}, si_timerid={}, si_overrun={}}}", head, i32(b, 16), i32(b, 20));
  if (code <= 0) return fmt::format("{}, si_pid={}, si_uid={}}}", head, i32(b, 16), u32(b, 20));
  return head + "}";
}

std::string struct_text(Type type, ByteView bytes, bool output) {
  if (type == Type::PollFds && bytes.size() >= abi::kPollFd) return poll_text(bytes, output);
  if (type == Type::Text) return bytes.empty() ? "" : quoted_string(bytes);
  for (const Printer& p : kPrinters)
    if (p.type == type) return bytes.size() >= p.size ? p.text(bytes) : "";
  return {};
}

}  // namespace tmrec::syscalls
