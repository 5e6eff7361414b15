#include "gdbstub/stub.h"

#include <algorithm>

#include "gdbstub/signals.h"

namespace tmrec::gdbstub {

// GDB shows the text behind "E." (GDB manual, "Standard Replies").
std::string error_reply(const std::string& text) {
  std::string line = text;
  std::ranges::replace(line, '\n', ' ');
  return "E." + line;
}

Stub::Stub(Target& target, Arrived arrived) : target_(target), arrived_(std::move(arrived)) {
  selected_ = moved_ = target_.last_stop().thread;
}

// The next client finds neither breakpoints nor open files.
Stub::~Stub() {
  for (const Breakpoint& breakpoint : inserted_) (void)target_.remove(breakpoint);
  for (const auto& [handle, file] : files_) target_.close(handle);
  target_.catch_syscalls(std::nullopt);
  target_.client_left();
}

std::string Stub::feed(std::string_view bytes) {
  reader_.feed(bytes);
  std::string out;
  while (!over_) {
    auto item = reader_.next();
    if (!item) break;
    using Kind = PacketReader::Item::Kind;
    switch (item->kind) {
      case Kind::Packet: {
        const bool acknowledge = acknowledges_;
        const std::string reply = execute(item->payload);
        if (acknowledge) out += '+';
        if (over_ && reply.empty()) break;
        out += std::exchange(said_, {});
        last_sent_ = frame(reply);
        out += last_sent_;
        break;
      }
      case Kind::Refused:
        if (acknowledges_) out += '-';
        break;
      case Kind::Resend:
        if (acknowledges_) out += last_sent_;
        break;
      case Kind::Interrupt:  // nothing runs
        break;
    }
  }
  return out;
}

std::string Stub::execute(const std::string& packet) {
  if (packet.empty()) return {};
  const std::string_view rest = std::string_view(packet).substr(1);
  switch (packet.front()) {
    case '?':
      return describe(target_.last_stop());
    case 'g':
      return read_registers();
    case 'G':
      return write_registers(rest);
    case 'p':
      return read_register(rest);
    case 'P':
      return write_register(rest);
    case 'm':
      return read_memory(rest, false);
    case 'x':
      return read_memory(rest, true);
    case 'M':
      return write_memory(rest, false);
    case 'X':
      return write_memory(rest, true);
    case 'Z':
      return breakpoint(rest, true);
    case 'z':
      return breakpoint(rest, false);
    case 'H':
      return select(rest);
    case 'T': {
      const auto tid = one_thread(rest);
      return tid && lives(*tid) ? "OK" : error_reply("no such thread");
    }
    case 'c':
    case 'C':
      return resume({});
    case 's':
    case 'S':
      return resume({.backward = false, .step = moved_, .range_begin = {}, .range_end = {}});
    case 'b':
      if (rest == "c") return resume({.backward = true, .step = {}, .range_begin = {}, .range_end = {}});
      if (rest == "s") return resume({.backward = true, .step = moved_, .range_begin = {}, .range_end = {}});
      return {};
    case 'q':
      return query(rest);
    case 'Q':
      return setting(rest);
    case 'v':
      return v_packet(rest);
    case 'k':
      over_ = killed_ = true;
      return {};
    case 'D':
      over_ = true;
      return "OK";
    default:
      return {};
  }
}

std::string Stub::v_packet(std::string_view packet) {
  Cursor cursor(packet);
  if (cursor.skip("Cont?")) return "vCont;c;C;s;S;r";
  if (cursor.skip("Cont;")) return resume_by_v_cont(cursor.rest());
  if (cursor.skip("File:")) return file(cursor.rest());
  if (cursor.skip("CtrlC")) return "OK";
  if (cursor.skip("Kill")) {
    over_ = killed_ = true;
    return "OK";
  }
  return {};
}

std::string Stub::setting(std::string_view packet) {
  Cursor cursor(packet);
  if (cursor.skip("StartNoAckMode")) {
    acknowledges_ = false;
    reader_.trust();
    return "OK";
  }
  if (cursor.skip("PassSignals:")) {
    std::uint64_t signals = 0;
    while (!cursor.done()) {
      const auto number = parse_hex_number(cursor.until(';'));
      if (!number) return error_reply("not a list of signals");
      if (const int signal = linux_signal(*number); signal != 0) signals |= std::uint64_t{1} << (signal - 1);
    }
    target_.pass_signals(signals);
    return "OK";
  }
  if (cursor.skip("CatchSyscalls:")) {
    if (cursor.skip("0")) {
      if (!cursor.done()) return error_reply("not a list of system calls");
      target_.catch_syscalls(std::nullopt);
      return "OK";
    }
    if (!cursor.skip("1")) return error_reply("not a list of system calls");
    std::vector<std::uint64_t> numbers;
    while (cursor.skip(";")) {
      const auto number = cursor.hex_number();
      if (!number) return error_reply("not a list of system calls");
      numbers.push_back(*number);
    }
    if (!cursor.done()) return error_reply("not a list of system calls");
    target_.catch_syscalls(numbers);
    return "OK";
  }
  if (cursor.skip("NonStop:")) {
    if (cursor.rest() == "0") return "OK";
    return error_reply("a recording has one order of events: all threads stop together (set non-stop off)");
  }
  return {};
}

std::string Stub::id_of(Tid thread) const {
  const std::string tid = hex_number(static_cast<std::uint32_t>(thread.value));
  if (!multiprocess_) return tid;
  return "p" + hex_number(static_cast<std::uint32_t>(target_.process().value)) + "." + tid;
}

std::optional<std::int64_t> Stub::thread(std::string_view id) const {
  Cursor cursor(id);
  const auto number = [](std::string_view text) -> std::optional<std::int64_t> {
    if (text == "-1") return -1;
    const auto value = parse_hex_number(text);
    if (!value || *value > INT32_MAX) return std::nullopt;
    return static_cast<std::int64_t>(*value);
  };
  if (!cursor.skip("p")) return number(id);
  const auto process = number(cursor.until('.'));
  if (!process || (*process > 0 && *process != target_.process().value)) return std::nullopt;
  return cursor.done() ? -1 : number(cursor.rest());
}

// "Any" is the one that stopped.
std::optional<Tid> Stub::one_thread(std::string_view id) {
  const auto tid = thread(id);
  if (!tid) return std::nullopt;
  return *tid > 0 ? Tid(static_cast<std::int32_t>(*tid)) : target_.last_stop().thread;
}

bool Stub::lives(Tid tid) {
  return std::ranges::any_of(target_.threads(), [&](const Thread& t) { return t.tid == tid; });
}

std::string Stub::select(std::string_view request) {
  if (request.empty()) return error_reply("H without an operation");
  const auto tid = one_thread(request.substr(1));
  if (!tid || !lives(*tid)) return error_reply("no such thread");
  (request.front() == 'c' ? moved_ : selected_) = *tid;
  return "OK";
}

}  // namespace tmrec::gdbstub
