// q packets: what the client wants to know.
#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "gdbstub/stub.h"

namespace tmrec::gdbstub {

std::string Stub::query(std::string_view packet) {
  Cursor cursor(packet);
  if (cursor.skip("Supported")) return supported(cursor.rest());
  if (cursor.skip("Xfer:")) return transfer(cursor.rest());
  if (cursor.skip("fThreadInfo")) return thread_list();
  if (cursor.skip("sThreadInfo")) return "l";
  if (cursor.skip("Attached")) return "1";  // a client that goes does not kill
  if (cursor.skip("Symbol:")) return symbol(cursor.rest());
  if (cursor.skip("GetTLSAddr:")) return thread_local_address(cursor.rest());
  if (cursor.skip("Rcmd,")) return monitor(cursor.rest());
  if (cursor.skip("Search:memory:")) return search(cursor.rest());
  if (cursor.skip("ThreadExtraInfo,")) {
    const auto tid = one_thread(cursor.rest());
    for (const Thread& t : target_.threads()) {
      if (tid && t.tid == *tid) return hex(t.name + " (" + t.state + ")");
    }
    return error_reply("no such thread");
  }
  if (packet == "HostInfo") return host_info();
  if (packet == "ProcessInfo") return process_info();
  if (cursor.skip("MemoryRegionInfo:")) return memory_region(cursor.rest());
  if (packet == "C") return "QC" + id_of(selected_);
  return {};
}

std::string Stub::supported(std::string_view features) {
  Cursor cursor(features);
  cursor.skip(":");
  while (!cursor.done()) {
    const std::string_view feature = cursor.until(';');
    if (feature == "multiprocess+") multiprocess_ = true;
    if (feature == "exec-events+") sends_exec_ = true;
    if (feature == "fork-events+") sends_forks_ = true;
  }
  target_.report(sends_forks_ && multiprocess_, sends_exec_);
  std::string answer = fmt::format(
      "PacketSize={:x};QStartNoAckMode+;vContSupported+;ReverseStep+;ReverseContinue+;swbreak+;hwbreak+;"
      "QPassSignals+;QCatchSyscalls+;ConditionalBreakpoints+;qXfer:features:read+;qXfer:auxv:read+;qXfer:exec-file:"
      "read+;qXfer:siginfo:read+;"
      "qXfer:threads:read+",
      kMaxPacket);
  if (multiprocess_) answer += ";multiprocess+";
  if (sends_exec_) answer += ";exec-events+";
  if (sends_forks_) answer += ";fork-events+;vfork-events+";
  return answer;
}

std::string Stub::thread_list() {
  std::string list;
  for (const Thread& t : target_.threads()) list += (list.empty() ? "m" : ",") + id_of(t);
  return list.empty() ? "l" : list;
}

namespace {

std::string xml_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&' || c == '<' || c == '>' || c == '"') {
      out += fmt::format("&#{};", static_cast<int>(c));
    } else {
      out += static_cast<unsigned char>(c) < ' ' || static_cast<unsigned char>(c) > '~' ? '?' : c;
    }
  }
  return out;
}

}  // namespace

std::string Stub::threads_xml() {
  std::string xml = "<?xml version=\"1.0\"?><threads>";
  for (const Thread& t : target_.threads()) {
    xml += fmt::format("<thread id=\"{}\" name=\"{}\">{}</thread>", id_of(t), xml_text(t.name), xml_text(t.state));
  }
  return xml + "</threads>";
}

Result<std::string> Stub::object(std::string_view kind, std::string_view annex) {
  const auto text = [](const Result<Bytes>& bytes) -> Result<std::string> {
    if (!bytes) return std::unexpected(bytes.error());
    return std::string(view(*bytes));
  };
  if (kind == "features" && annex == "target.xml") return layout().description();
  if (kind == "threads") return threads_xml();
  if (kind == "exec-file") {
    const auto process = parse_hex_number(annex);
    if (!annex.empty() && (!process || *process > INT32_MAX)) return fail(ErrorKind::NotFound, "not a process");
    return target_.executable(process ? std::optional(Tid(static_cast<std::int32_t>(*process))) : std::nullopt);
  }
  if (kind == "auxv") return text(target_.auxv());
  if (kind == "siginfo") return text(target_.siginfo(selected_));
  return fail(ErrorKind::NotFound, "no such object");
}

// kind:read:annex:offset,length. Read in pieces; a client begins at offset 0, and gets what was so then.
std::string Stub::transfer(std::string_view request) {
  Cursor cursor(request);
  const std::string_view kind = cursor.until(':'), operation = cursor.until(':'), annex = cursor.until(':');
  constexpr std::string_view kKinds[] = {"features", "threads", "exec-file", "auxv", "siginfo"};
  if (operation != "read" || std::ranges::find(kKinds, kind) == std::end(kKinds)) return {};
  const auto offset = cursor.hex_number();
  const auto length = cursor.skip(",") ? cursor.hex_number() : std::nullopt;
  if (!offset || !length || !cursor.done()) return error_reply("not a transfer");
  const std::string name = fmt::format("{}:{}", kind, annex);
  if (*offset == 0 || name != object_name_) {
    object_name_.clear();
    auto content = object(kind, annex);
    if (!content) return content.error().kind == ErrorKind::NotFound ? "E00" : error_reply(content.error().text);
    object_ = std::move(*content);
    object_name_ = name;
  }
  if (*offset >= object_.size()) return "l";
  const std::size_t most = std::min<std::uint64_t>(*length, kMaxPacket / 2 - 16);
  const std::string_view piece = std::string_view(object_).substr(*offset, most);
  const bool last = *offset + piece.size() == object_.size();
  return (last ? "l" : "m") + escape(piece);
}

// address;length;pattern. Read in pieces that overlap by the pattern's length.
std::string Stub::search(std::string_view request) {
  Cursor cursor(request);
  const auto from = cursor.hex_number();
  const auto length = cursor.skip(";") ? cursor.hex_number() : std::nullopt;
  if (!from || !length || !cursor.skip(";") || cursor.done()) return error_reply("not a search");
  const std::string_view pattern = cursor.rest();
  constexpr std::uint64_t kPiece = 1 << 20;
  for (std::uint64_t at = 0; at < *length;) {
    const std::uint64_t size = std::min(*length - at, kPiece + pattern.size());
    if (size < pattern.size()) break;
    const Bytes bytes = target_.read_memory(RemoteAddr(*from + at), size);
    const std::size_t found = view(bytes).find(pattern);
    if (found != std::string_view::npos) return "1," + hex_number(*from + at + found);
    if (bytes.size() < size) return bytes.empty() && at == 0 ? error_reply("no memory there") : "0";
    if (interrupted()) return error_reply("interrupted");
    at += kPiece;
  }
  return "0";
}

// ":" when the client has learned symbols; or an answer, VALUE:NAME, without a value if it knows none.
std::string Stub::symbol(std::string_view answer) {
  if (answer == ":") {
    unasked_ = target_.wanted_symbols();
  } else {
    Cursor cursor(answer);
    const auto value = parse_hex_number(cursor.until(':'));
    const auto name = parse_hex_bytes(cursor.rest());
    if (!name) return error_reply("not a symbol");
    target_.symbol_is(*name, value ? std::optional(RemoteAddr(*value)) : std::nullopt);
  }
  if (unasked_.empty()) return "OK";
  const std::string name = std::move(unasked_.back());
  unasked_.pop_back();
  return "qSymbol:" + hex(name);
}

// thread,offset,link map
std::string Stub::thread_local_address(std::string_view request) {
  Cursor cursor(request);
  const auto tid = one_thread(cursor.until(','));
  const auto offset = cursor.hex_number();
  const auto link_map = cursor.skip(",") ? cursor.hex_number() : std::nullopt;
  if (!tid || !offset || !link_map || !cursor.done()) return error_reply("not a thread-local variable");
  const auto address = target_.thread_local_address(*tid, *offset, RemoteAddr(*link_map));
  return address ? hex_number(address->value) : error_reply(address.error().text);
}

std::string Stub::monitor(std::string_view hex_command) {
  const auto command = parse_hex_bytes(hex_command);
  if (!command) return "E01";
  std::string answer = target_.monitor(*command, [this] { return interrupted(); });
  object_name_.clear();
  // The client goes on to believe in what it has selected.
  for (Tid* tid : {&selected_, &moved_}) {
    if (!lives(*tid)) *tid = target_.last_stop().thread;
  }
  target_.view(selected_);
  answer.resize(std::min(answer.size(), kMaxPacket / 2 - 16));
  return answer.empty() ? "OK" : hex(answer);
}

}  // namespace tmrec::gdbstub
