#include "syscalls/names.h"

#include <fmt/format.h>

#include <cstring>
#include <initializer_list>
#include <span>

#include "syscalls/constants.h"
#include "syscalls/print.h"

namespace tmrec::syscalls {

namespace {

using constants::Name;

const char* find_name(std::span<const Name> names, std::uint64_t value) {
  for (const Name& n : names)
    if (n.value == value) return n.text;
  return nullptr;
}

std::string enum_text(std::span<const Name> names, std::uint64_t value) {
  if (const char* name = find_name(names, value)) return name;
  return fmt::format("{:#x}", value);
}

// Names of all bits, then what is left over. A name of several bits counts only when all of them are set and none was
// named before it; a name of value 0 stands for no bits at all.
std::string flags_text(std::span<const Name> names, std::uint64_t value) {
  std::string text;
  const auto add = [&text](std::string_view s) {
    if (!text.empty()) text += '|';
    text += s;
  };
  std::uint64_t left = value;
  for (const Name& n : names) {
    if (!n.value || (left & n.value) != n.value) continue;
    add(n.text);
    left &= ~n.value;
  }
  if (left) add(fmt::format("{:#x}", left));
  if (!text.empty()) return text;
  const char* zero = find_name(names, 0);
  return zero ? zero : "0";
}

std::string open_flags_text(std::uint64_t value) {
  static constexpr const char* kAccess[] = {"O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE"};
  std::string text = kAccess[value & 3];
  if (value & ~3ull) text += "|" + flags_text(constants::kOpenFlags, value & ~3ull);
  return text;
}

std::string clone_flags_text(std::uint64_t value) {
  const std::uint64_t flags = value & ~0xffull;
  std::string text = flags ? flags_text(constants::kCloneFlags, flags) : "";
  if (value & 0xff) text += (text.empty() ? "" : "|") + signal_name(static_cast<int>(value & 0xff));
  return text.empty() ? "0" : text;
}

std::string socket_type_text(std::uint64_t value) {
  std::string text = value & 0xf ? enum_text(constants::kSocketTypes, value & 0xf) : "";
  if (value & ~0xfull) text += (text.empty() ? "" : "|") + flags_text(constants::kSocketFlags, value & ~0xfull);
  return text.empty() ? "0" : text;
}

std::string clock_text(std::uint64_t value) {
  if (const char* name = find_name(constants::kClocks, value)) return name;
  const auto id =
      static_cast<std::int32_t>(value);  // negative: of a process, thread or descriptor (clock_getcpuclockid(3))
  if ((id & 7) == 3) return fmt::format("clock of fd {}", ~(id >> 3));
  return fmt::format("{} clock of {}", id & 4 ? "thread" : "process", ~(id >> 3));
}

std::string mmap_flags_text(std::uint64_t value) {
  std::string text = enum_text(constants::kMapTypes, value & 0xf);
  if (value & ~0xfull) text += "|" + flags_text(constants::kMapFlags, value & ~0xfull);
  return text;
}

// How a type's values are named: as an enumeration, as flags, or by a function of their own.
struct Naming {
  Type type;
  std::span<const Name> names;
  bool flags;
};

const Naming kNamings[] = {
    {Type::FileFlags, constants::kOpenFlags, true},
    {Type::AccessMode, constants::kAccessModes, true},
    {Type::AtFlags, constants::kAtFlags, true},
    {Type::Whence, constants::kWhence, false},
    {Type::Prot, constants::kProt, true},
    {Type::MremapFlags, constants::kMremapFlags, true},
    {Type::MsyncFlags, constants::kMsyncFlags, true},
    {Type::MlockallFlags, constants::kMlockallFlags, true},
    {Type::WaitOptions, constants::kWaitOptions, true},
    {Type::WaitIdType, constants::kWaitIdTypes, false},
    {Type::Family, constants::kFamilies, false},
    {Type::SocketLevel, constants::kSocketLevels, false},
    {Type::MsgFlags, constants::kMsgFlags, true},
    {Type::ShutdownHow, constants::kShutdownHow, false},
    {Type::EpollOp, constants::kEpollOps, false},
    {Type::EpollFlags, constants::kEpollFlags, true},
    {Type::EventfdFlags, constants::kEventfdFlags, true},
    {Type::SignalfdFlags, constants::kSignalfdFlags, true},
    {Type::TimerfdFlags, constants::kTimerfdFlags, true},
    {Type::TimerFlags, constants::kTimerFlags, true},
    {Type::SigmaskHow, constants::kSigmaskHow, false},
    {Type::Resource, constants::kResources, false},
    {Type::RusageWho, constants::kRusageWho, false},
    {Type::PriorityWhich, constants::kPriorityWhich, false},
    {Type::Itimer, constants::kItimers, false},
    {Type::RandomFlags, constants::kRandomFlags, true},
    {Type::MemfdFlags, constants::kMemfdFlags, true},
    {Type::RenameFlags, constants::kRenameFlags, true},
    {Type::StatxMask, constants::kStatxMask, true},
    {Type::FallocateMode, constants::kFallocateModes, true},
    {Type::FlockOp, constants::kFlockOps, true},
    {Type::InotifyMask, constants::kInotifyMask, true},
    {Type::MountFlags, constants::kMountFlags, true},
    {Type::UmountFlags, constants::kUmountFlags, true},
    {Type::SchedPolicy, constants::kSchedPolicies, false},
    {Type::SpliceFlags, constants::kSpliceFlags, true},
    {Type::XattrFlags, constants::kXattrFlags, true},
    {Type::FdFlags, constants::kFdFlags, true},
    {Type::PersonalityFlags, constants::kPersonality, true},
    {Type::MembarrierCmd, constants::kMembarrier, false},
    {Type::CloseRangeFlags, constants::kCloseRange, true},
    {Type::RwfFlags, constants::kRwfFlags, true},
};

}  // namespace

std::string named_value(Type type, std::uint64_t value) {
  value &= 0xffffffff;  // no named type is wider than int
  switch (type) {
    case Type::OpenFlags:
      return open_flags_text(value);
    case Type::MapFlags:
      return mmap_flags_text(value);
    case Type::CloneFlags:
      return clone_flags_text(value);
    case Type::SocketType:
      return socket_type_text(value);
    case Type::Clock:
      return clock_text(value);
    case Type::IpcFlags: {
      std::string text = value & ~0777ull ? flags_text(constants::kIpcFlags, value & ~0777ull) + "|" : "";
      return text + fmt::format("{:#o}", value & 0777);
    }
    default:
      break;
  }
  for (const Naming& n : kNamings)
    if (n.type == type) return n.flags ? flags_text(n.names, value) : enum_text(n.names, value);
  return {};
}

std::string signal_name(int signo) {
  if (signo >= 1 && signo < 32) return std::string("SIG") + sigabbrev_np(signo);
  if (signo == 32) return "SIGRTMIN";  // as the kernel counts: libc keeps the first two for itself
  if (signo > 32 && signo <= 64) return fmt::format("SIGRTMIN+{}", signo - 32);
  return std::to_string(signo);
}

std::string errno_name(int error) {
  if (const char* name = find_name(constants::kRestartCodes, static_cast<std::uint64_t>(error))) return name;
  const char* name = strerrorname_np(error);
  return name && error ? name : std::to_string(error);
}

std::string file_mode_text(std::uint32_t mode) {
  const char* kind = find_name(constants::kFileKinds, mode & 0170000);
  return kind ? fmt::format("{}|{:#o}", kind, mode & 07777) : fmt::format("{:#o}", mode);
}

std::string wait_status_text(std::int32_t status) {
  const int signo = status & 0x7f, code = (status >> 8) & 0xff;
  if (status == 0xffff) return "[{WIFCONTINUED(s)}]";
  if (signo == 0) return fmt::format("[{{WIFEXITED(s) && WEXITSTATUS(s) == {}}}]", code);
  if (signo == 0x7f) return fmt::format("[{{WIFSTOPPED(s) && WSTOPSIG(s) == {}}}]", signal_name(code));
  return fmt::format("[{{WIFSIGNALED(s) && WTERMSIG(s) == {}{}}}]", signal_name(signo),
                     status & 0x80 ? " && WCOREDUMP(s)" : "");
}

std::string poll_events_text(std::uint16_t events) { return flags_text(constants::kPollEvents, events); }
std::string epoll_events_text(std::uint32_t events) { return flags_text(constants::kEpollEvents, events); }
std::string sigaction_flags_text(std::uint64_t flags) { return flags_text(constants::kSigactionFlags, flags); }

std::string signal_code_text(int signo, int code) {
  if (const char* name = find_name(constants::kSignalCodes, static_cast<std::uint32_t>(code))) return name;
  const std::uint64_t key = static_cast<std::uint64_t>(signo) << 8 | static_cast<std::uint8_t>(code);
  const char* name = code > 0 && code < 256 ? find_name(constants::kFaultCodes, key) : nullptr;
  return name ? name : std::to_string(code);
}

std::string socket_option_text(std::uint64_t level, std::uint64_t option) {
  level &= 0xffffffff;
  option &= 0xffffffff;
  std::span<const Name> names;
  if (level == 1) names = constants::kSocketOptions;
  if (level == 6) names = constants::kTcpOptions;
  if (level == 0) names = constants::kIpOptions;
  if (level == 41) names = constants::kIpv6Options;
  if (const char* name = find_name(names, option)) return name;
  return std::to_string(option);
}

// Short names in brackets; a set that is fuller than half is shown by what it lacks.
std::string sigset_text(std::uint64_t set) {
  const bool inverted = __builtin_popcountll(set) > 32;
  std::string text = inverted ? "~[" : "[";
  const std::uint64_t shown = inverted ? ~set : set;
  for (int signo = 1; signo <= 64; ++signo) {
    if (!(shown >> (signo - 1) & 1)) continue;
    if (text.back() != '[') text += ' ';
    const std::string name = signal_name(signo);
    text += name.starts_with("SIG") ? name.substr(3) : name;
  }
  return text + "]";
}

}  // namespace tmrec::syscalls
