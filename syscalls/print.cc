// One line for an event. Arguments are walked in the order of the table's row (or command); a pointer whose memory the
// event holds is shown as what it points to, `before => after` where the kernel changed it.
#include "syscalls/print.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "syscalls/abi.h"
#include "syscalls/event_memory.h"
#include "syscalls/names.h"
#include "syscalls/print_structs.h"
#include "syscalls/table.h"

namespace tmrec::syscalls {

namespace {

using Side = EventMemory::Side;

constexpr std::uint64_t kShownData = 32, kShownVectors = 4, kShownWord = 64, kShownPath = 4096, kEverything = ~0ull;

std::string pointer_text(std::uint64_t value) { return value ? fmt::format("{:#x}", value) : "NULL"; }

std::string command_text(const Signature& s, std::uint64_t value) {
  const std::uint64_t shown = value & 0xffffffff;
  const Commands& c = *s.row->commands;
  if (!s.command) {
    if (s.row->nr != kIoctlNumber) return fmt::format("{:#x}", shown);
    static constexpr const char* kDirections[] = {"_IOC_NONE", "_IOC_WRITE", "_IOC_READ", "_IOC_READ|_IOC_WRITE"};
    return fmt::format("_IOC({}, {:#x}, {:#x}, {:#x})", kDirections[shown >> 30 & 3], shown >> 8 & 0xff, shown & 0xff,
                       shown >> 16 & 0x3fff);
  }
  std::string text = s.command->name;
  if (c.shift) return fmt::format("QCMD({}, {})", text, shown & ((1u << c.shift) - 1));
  const std::uint64_t extra = shown & ~c.mask;  // futex
  if (extra & 128) text += "|FUTEX_PRIVATE_FLAG";
  if (extra & 256) text += "|FUTEX_CLOCK_REALTIME";
  return text;
}

class Line {
 public:
  Line(const SyscallEvent& event, const Call& call)
      : event_(event), call_(call), memory_(event.extents), signature_(signature(call)) {}

  std::string arguments() const {
    std::string text;
    const bool exit_only = event_.phase == SyscallEvent::Phase::Exit;
    for (unsigned i = 0; i < signature_.nargs; ++i) {
      if (is_unused_mode(i)) continue;
      if (i) text += ", ";
      text += argument(i, exit_only);
    }
    return text;
  }

  std::string result() const {
    const std::int64_t ret = event_.ret;
    if (ret <= kRestartSys && ret >= kRestartBlock) return fmt::format("? {}", errno_name(static_cast<int>(-ret)));
    if (ret < 0 && ret >= -4095)
      return fmt::format("-1 {} ({})", errno_name(static_cast<int>(-ret)), std::strerror(static_cast<int>(-ret)));
    switch (signature_.row->returns) {
      case Type::Pointer:
      case Type::Hex:
        return fmt::format("{:#x}", ret);
      case Type::Octal:
        return fmt::format("{:#o}", ret);
      case Type::Nothing:
        return "?";
      case Type::Signal:
      case Type::SchedPolicy:
        return value(signature_.row->returns, static_cast<std::uint64_t>(ret), 0);
      default:
        return std::to_string(ret);
    }
  }

 private:
  // The mode of an open that creates nothing.
  bool is_unused_mode(unsigned i) const {
    constexpr std::uint64_t kCreat = 0100, kTmpfile = 020000000;
    return i && signature_.args[i].type == Type::Octal && signature_.args[i - 1].type == Type::OpenFlags &&
           !(call_.args[i - 1] & (kCreat | kTmpfile));
  }

  std::string value(Type type, std::uint64_t v, unsigned i) const {
    switch (type) {
      case Type::Int:
      case Type::Fd:
      case Type::Pid:
      case Type::Uid:
        return std::to_string(static_cast<std::int32_t>(v));
      case Type::Uint:
        return std::to_string(static_cast<std::uint32_t>(v));
      case Type::DirFd:
        return static_cast<std::int32_t>(v) == -100 ? "AT_FDCWD" : std::to_string(static_cast<std::int32_t>(v));
      case Type::Size:
        return std::to_string(v);
      case Type::Offset:
        return std::to_string(static_cast<std::int64_t>(v));
      case Type::Octal:
        return fmt::format("{:#o}", v & 0xffffffff);
      case Type::Hex:
        return v ? fmt::format("{:#x}", v) : "0";
      case Type::Dev:
        return fmt::format("makedev({:#x}, {:#x})", (v >> 8 & 0xfff), (v & 0xff) | (v >> 12 & 0xfff00));
      case Type::Signal:
        return v ? signal_name(static_cast<int>(v)) : "0";
      case Type::Command:
        return command_text(signature_, v);
      case Type::SocketOption:
        return socket_option_text(call_.args[i - 1], v);
      default:
        break;
    }
    const std::string named = named_value(type, v);
    return named.empty() ? pointer_text(v) : named;
  }

  std::string argument(unsigned i, bool exit_only) const {
    const Arg& a = signature_.args[i];
    const std::uint64_t v = call_.args[i];
    if (a.shape == Shape::Value) return value(a.type, v, i);
    if (!v) return "NULL";
    const std::string before = reads(a) && !exit_only ? pointee(a, v, Side::Input) : "";
    const std::string after = writes(a) ? pointee(a, v, Side::Output) : "";
    if (before.empty() && after.empty()) return pointer_text(v);
    if (before.empty() || after.empty() || before == after) return before.empty() ? after : before;
    return before + " => " + after;
  }

  std::string pointee(const Arg& a, std::uint64_t at, Side side) const {
    switch (a.shape) {
      case Shape::Value:
        return {};
      case Shape::String: {
        const ByteView bytes = memory_.at(side, at, kShownPath);
        return bytes.empty() ? "" : quoted_string(bytes);
      }
      case Shape::Strings:
        return strings(at);
      case Shape::Memory:
        return buffer(a, at, side);
      case Shape::Iovec:
        return iovecs(at, call_.args[a.from], side);
      case Shape::Msghdr:
        return message(at, side);
      case Shape::Mmsghdr:
        return messages(at, call_.args[a.from], side);
      case Shape::FileHandle:
        return handle(at, side);
    }
    return {};
  }

  // Bytes of a call: of a filled buffer no more than the result says, whatever else was captured.
  std::string buffer(const Arg& a, std::uint64_t at, Side side) const {
    std::uint64_t len = a.rule == Rule::Fixed ? a.size : kEverything;
    if (a.rule == Rule::Returned && side == Side::Output)
      len = event_.ret > 0 ? static_cast<std::uint64_t>(event_.ret) * a.size : 0;
    const ByteView bytes = memory_.at(side, at, len);
    if (bytes.empty()) return a.rule == Rule::Returned && side == Side::Output && event_.ret == 0 ? "\"\"" : "";
    std::string text = struct_text(a.type, bytes, side == Side::Output);
    if (!text.empty()) return text;
    const std::uint64_t total = a.rule == Rule::Count ? call_.args[a.from] * a.size : bytes.size();
    return quoted(bytes, total, kShownData);
  }

  std::string strings(std::uint64_t array) const {
    std::string text = "[";
    for (std::uint64_t i = 0;; ++i) {
      std::uint64_t string = 0;
      if (!memory_.read(Side::Input, array + i * 8, string)) return i ? text + ", ...]" : "";
      if (!string) return text + "]";
      const ByteView bytes = memory_.at(Side::Input, string, kShownWord);
      text += (i ? ", " : "") + (bytes.empty() ? pointer_text(string) : quoted_string(bytes));
    }
  }

  std::string iovecs(std::uint64_t array, std::uint64_t count, Side side) const {
    std::string text = "[";
    std::uint64_t left = side == Side::Output && event_.ret > 0 ? static_cast<std::uint64_t>(event_.ret) : kEverything;
    for (std::uint64_t i = 0; i < count; ++i) {
      abi::Iovec v;
      if (i == kShownVectors || !memory_.read(Side::Input, array + i * sizeof v, v)) return i ? text + ", ...]" : "";
      const ByteView data = memory_.at(side, v.base, std::min(v.len, left));
      left -= std::min(v.len, left);
      text += fmt::format("{}{{iov_base={}, iov_len={}}}", i ? ", " : "",
                          data.empty() ? pointer_text(v.base) : quoted(data, v.len, kShownData), v.len);
    }
    return text + "]";
  }

  std::string message(std::uint64_t at, Side side) const {
    abi::Msghdr h;
    if (!memory_.read(Side::Input, at, h)) return {};
    if (side == Side::Output) {
      memory_.read(side, at + abi::kMsgNameLen, h.namelen);
      memory_.read(side, at + abi::kMsgControlLen, h.controllen);
      memory_.read(side, at + abi::kMsgFlags, h.flags);
    }
    const std::string name =
        h.namelen > 0 ? sockaddr_text(memory_.at(side, h.name, static_cast<std::uint64_t>(h.namelen))) : "";
    const std::string data = iovecs(h.iov, h.iovlen, side);
    return fmt::format("{{msg_name={}, msg_namelen={}, msg_iov={}, msg_iovlen={}, msg_controllen={}, msg_flags={}}}",
                       name.empty() ? pointer_text(h.name) : name, h.namelen, data.empty() ? pointer_text(h.iov) : data,
                       h.iovlen, h.controllen, named_value(Type::MsgFlags, h.flags));
  }

  std::string messages(std::uint64_t at, std::uint64_t count, Side side) const {
    std::string text = "[";
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::uint64_t where = at + i * abi::kMmsghdr;
      const std::string one = i < kShownVectors ? message(where, side) : "";
      if (one.empty()) return i ? text + ", ...]" : "";
      std::uint32_t len = 0;
      const bool known = memory_.read(Side::Output, where + abi::kMmsgLen, len);
      text += fmt::format("{}{{msg_hdr={}{}}}", i ? ", " : "", one, known ? fmt::format(", msg_len={}", len) : "");
    }
    return text + "]";
  }

  std::string handle(std::uint64_t at, Side side) const {
    std::uint32_t bytes = 0;
    if (!memory_.read(side, at, bytes)) return {};
    return fmt::format("{{handle_bytes={}}}", bytes);
  }

  const SyscallEvent& event_;
  const Call& call_;
  EventMemory memory_;
  Signature signature_;
};

}  // namespace

std::string describe(const SyscallEvent& event) {
  Call call{.nr = static_cast<std::uint32_t>(event.regs.orig_rax), .args = {}};
  for (int i = 0; i < 6; ++i) call.args[i] = event.regs.arg(i);
  const Row& r = row(call.nr);
  const Line line(event, call);
  const std::string name = r.nr == call.nr ? r.name : fmt::format("syscall_{:#x}", call.nr);
  const std::string text = fmt::format("{}({})", name, line.arguments());
  if (event.phase == SyscallEvent::Phase::Enter)
    return text + (r.returns == Type::Nothing ? " = ?" : " = ... (waiting)");
  const char* resumed = event.phase == SyscallEvent::Phase::Exit ? "... " : "";
  return fmt::format("{}{} = {}{}", resumed, text, line.result(), event.noted ? " (noted)" : "");
}

std::string describe(const SignalEvent& event) {
  const std::string info = siginfo_text(event.siginfo);
  std::string text = signal_name(event.signo);
  if (!info.empty()) text += " " + info;
  switch (event.action) {
    case SignalEvent::Action::Handler:
      text += fmt::format(" -> handler {:#x}", event.after.rip);
      break;
    case SignalEvent::Action::Ignored:
      text += " -> ignored";
      break;
    case SignalEvent::Action::Fatal:
      text += " -> fatal";
      break;
    case SignalEvent::Action::Stop:
      text += " -> stop";
      break;
  }
  return event.synchronous ? text + fmt::format(" at {:#x}", event.before.rip) : text;
}

}  // namespace tmrec::syscalls
