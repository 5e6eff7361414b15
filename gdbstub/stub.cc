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
        // Who does without acknowledgements waits for an answer all the same.
        out += acknowledges_ ? "-" : frame(error_reply("a damaged packet, or one that is too long"));
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
    case '_':
      return own_memory(rest);
    case 'j':
      return rest == "ThreadsInfo" ? threads_json() : "";
    case 'v':
      return v_packet(rest);
    case 'k':
      over_ = killed_ = true;
      return {};
    case 'D':
      return leave(rest, false);
    case '!':  // extended: another process can be attached to
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
  if (cursor.skip("Kill")) return leave(cursor.rest(), true);
  if (cursor.skip("Attach;")) {
    const auto process = parse_hex_number(cursor.rest());
    if (!process || *process > INT32_MAX) return error_reply("not a process");
    auto stop = target_.attach(Tid(static_cast<std::int32_t>(*process)));
    if (!stop) return error_reply(stop.error().text);
    target_.view(selected_ = moved_ = stop->thread);
    layout_.reset();
    return describe(*stop);
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
  if (cursor.skip("ThreadSuffixSupported")) {
    is_lldb_ = true;  // nobody else asks
    return {};
  }
  if (cursor.skip("NonStop:")) {
    if (cursor.rest() == "0") return "OK";
    return error_reply("a recording has one order of events: all threads stop together (set non-stop off)");
  }
  return {};
}

// ;PID, or nothing: the only process. The session ends with the last.
std::string Stub::leave(std::string_view process, bool kills) {
  if (process.starts_with(';')) {
    const auto number = parse_hex_number(process.substr(1));
    if (!number || *number > INT32_MAX || !target_.debugs(Tid(static_cast<std::int32_t>(*number))))
      return error_reply("no such process");
    if (target_.let_go(Tid(static_cast<std::int32_t>(*number)))) {
      for (Tid* tid : {&selected_, &moved_}) {
        if (!lives(*tid)) *tid = target_.last_stop().thread;
      }
      target_.view(selected_);
      return "OK";
    }
  }
  over_ = true;
  killed_ = kills;
  return "OK";
}

std::string Stub::id_of(const Thread& thread) const {
  const std::string tid = hex_number(static_cast<std::uint32_t>(thread.tid.value));
  if (!multiprocess_) return tid;
  return "p" + hex_number(static_cast<std::uint32_t>(thread.process.value)) + "." + tid;
}

std::string Stub::id_of(Tid thread) {
  return id_of(
      Thread{.tid = thread, .name = {}, .state = {}, .process = process_of(thread).value_or(target_.process())});
}

std::optional<Tid> Stub::process_of(Tid thread) {
  for (const Thread& each : target_.threads()) {
    if (each.tid == thread) return each.process;
  }
  return std::nullopt;
}

std::optional<Stub::ThreadId> Stub::thread(std::string_view id) {
  Cursor cursor(id);
  const auto number = [](std::string_view text) -> std::optional<std::int64_t> {
    if (text == "-1") return -1;
    const auto value = parse_hex_number(text);
    if (!value || *value > INT32_MAX) return std::nullopt;
    return static_cast<std::int64_t>(*value);
  };
  ThreadId found;
  const bool with_process = cursor.skip("p");
  if (with_process) {
    const auto process = number(cursor.until('.'));
    if (!process) return std::nullopt;
    if (*process > 0) found.process = Tid(static_cast<std::int32_t>(*process));
    if (found.process && !target_.debugs(*found.process)) return std::nullopt;
  }
  if (with_process && cursor.done()) return found;
  const auto tid = number(cursor.rest());
  if (!tid) return std::nullopt;
  found.tid = *tid;
  return found;
}

// "Any" is the one that stopped, or the first of the process that is named.
std::optional<Tid> Stub::one_thread(std::string_view id) {
  const auto named = thread(id);
  if (!named) return std::nullopt;
  const std::optional<Tid> tid =
      named->tid > 0 ? std::optional(Tid(static_cast<std::int32_t>(named->tid))) : std::nullopt;
  if (!tid && (!named->process || *named->process == target_.process())) return target_.last_stop().thread;
  for (const Thread& each : target_.threads()) {
    if ((!tid || each.tid == *tid) && (!named->process || each.process == *named->process)) return each.tid;
  }
  return std::nullopt;
}

bool Stub::lives(Tid tid) {
  return std::ranges::any_of(target_.threads(), [&](const Thread& t) { return t.tid == tid; });
}

std::string Stub::select(std::string_view request) {
  if (request.empty()) return error_reply("H without an operation");
  const auto tid = one_thread(request.substr(1));
  if (!tid || !lives(*tid)) return error_reply("no such thread");
  (request.front() == 'c' ? moved_ : selected_) = *tid;
  if (request.front() != 'c') target_.view(*tid);
  return "OK";
}

}  // namespace tmrec::gdbstub
