// What lldb asks for beyond gdb's protocol (docs/lldb-gdb-remote.txt in LLVM): which machine and process this is, what
// is mapped where, and all threads at once. Registers it knows from the description that gdb is given, too.
#include <algorithm>

#include <fmt/format.h>

#include "gdbstub/signals.h"
#include "gdbstub/stub.h"

namespace tmrec::gdbstub {

namespace {

constexpr std::string_view kTriple = "x86_64-pc-linux-gnu";

std::string json_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < ' ' || static_cast<unsigned char>(c) > '~' ? '?' : c;
  }
  return out;
}

std::string_view reason_of(const Stop& stop) {
  using Why = Stop::Why;
  switch (stop.why) {
    case Why::Breakpoint:
      return "breakpoint";
    case Why::Watchpoint:
      return "watchpoint";
    case Why::Stepped:
      return "trace";
    case Why::Executed:
      return "exec";
    default:
      return "signal";
  }
}

}  // namespace

std::string Stub::host_info() {
  return fmt::format(
      "triple:{};ostype:linux;endian:little;ptrsize:8;vm-page-size:4096;watchpoint_exceptions_received:after;",
      hex(kTriple));
}

std::string Stub::process_info() {
  return fmt::format("pid:{};triple:{};ostype:linux;endian:little;ptrsize:8;",
                     hex_number(static_cast<std::uint32_t>(target_.process().value)), hex(kTriple));
}

// Where nothing is mapped: up to where something is, without permissions.
std::string Stub::memory_region(std::string_view address) {
  const auto at = parse_hex_number(address);
  if (!at) return error_reply("not an address");
  std::uint64_t begin = 0;
  for (const Region& region : target_.regions()) {
    if (*at >= region.begin.value && *at < region.end.value) {
      std::string text = fmt::format("start:{:x};size:{:x};permissions:{};", region.begin.value,
                                     region.end - region.begin, region.permissions);
      if (!region.name.empty()) text += "name:" + hex(region.name) + ";";
      return text;
    }
    if (*at < region.begin.value) return fmt::format("start:{:x};size:{:x};", begin, region.begin.value - begin);
    begin = region.end.value;
  }
  return fmt::format("start:{:x};size:{:x};", begin, UINT64_MAX - begin);
}

// MSIZE,PERMISSIONS lends some, mADDRESS takes it back.
std::string Stub::own_memory(std::string_view request) {
  Cursor cursor(request);
  if (cursor.skip("M")) {
    const auto size = parse_hex_number(cursor.until(','));
    if (!size) return error_reply("not a size of memory");
    const auto at = target_.lend_memory(*size);
    return at ? hex_number(at->value) : "E01";  // a text would be taken for an address
  }
  if (!cursor.skip("m")) return {};
  const auto at = parse_hex_number(cursor.rest());
  return at && target_.take_memory_back(RemoteAddr(*at)) ? "OK" : error_reply("no memory was lent there");
}

// In a stop reply.
std::string Stub::for_lldb(const Stop& stop) {
  std::string text;
  if (stop.why == Stop::Why::Executed) text += "reason:exec;";
  if (stop.why == Stop::Why::VForkDone) text += "reason:vforkdone;";
  for (const Thread& thread : target_.threads()) {
    if (thread.tid == stop.thread) text += "hexname:" + hex(thread.name) + ";";
  }
  return text;
}

std::string Stub::threads_json() {
  const Stop stop = target_.last_stop();
  std::string list;
  for (const Thread& thread : target_.threads()) {
    if (thread.process != target_.process()) continue;
    const bool stopped = thread.tid == stop.thread;
    list += fmt::format(R"({}{{"tid":{},"name":"{}","reason":"{}")", list.empty() ? "" : ",", thread.tid.value,
                        json_text(thread.name), stopped ? reason_of(stop) : "none");
    if (stopped)
      list += fmt::format(R"(,"signal":{})", stop.why == Stop::Why::Signal ? protocol_signal(stop.signal) : 5);
    list += "}";
  }
  return escape("[" + list + "]");
}

}  // namespace tmrec::gdbstub
