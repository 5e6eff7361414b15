// Registers, memory, breakpoints.
#include <algorithm>

#include "gdbstub/agent_expression.h"
#include "gdbstub/stub.h"

namespace tmrec::gdbstub {

namespace {

// Where an answer is digits, gdb 13 takes a text for some.
constexpr const char* kNoData = "E01";

}  // namespace

Result<RegisterFile> Stub::registers_of(Tid thread) {
  TMREC_TRY(const Regs general, target_.registers(thread));
  TMREC_TRY(Bytes extended, target_.extended(thread));
  return RegisterFile{general, std::move(extended)};
}

const RegisterLayout& Stub::layout() {
  if (!layout_) {
    auto extended = target_.extended(target_.last_stop().thread);
    layout_.emplace(extended ? *extended : Bytes{});
  }
  return *layout_;
}

std::string Stub::read_registers() {
  const auto file = registers_of(selected_);
  return file ? hex(layout().all(*file)) : kNoData;
}

std::string Stub::read_register(std::string_view number) {
  const auto n = parse_hex_number(number);
  if (!n || *n >= layout().count()) return error_reply("no such register");
  const auto file = registers_of(selected_);
  return file ? hex(layout().get(*file, *n)) : kNoData;
}

namespace {

std::string store(Target& target, Tid thread, const RegisterFile& before, const RegisterFile& after) {
  if (!(after.general == before.general)) {
    if (auto done = target.set_registers(thread, after.general); !done) return error_reply(done.error().text);
  }
  if (after.extended != before.extended) {
    if (auto done = target.set_extended(thread, after.extended); !done) return error_reply(done.error().text);
  }
  return "OK";
}

}  // namespace

std::string Stub::write_registers(std::string_view digits) {
  const auto values = parse_hex_bytes(digits);
  auto file = registers_of(selected_);
  if (!file) return error_reply(file.error().text);
  RegisterFile changed = *file;
  if (!values || !layout().set_all(changed, *values)) return error_reply("not the registers of this process");
  return store(target_, selected_, *file, changed);
}

std::string Stub::write_register(std::string_view assignment) {
  Cursor cursor(assignment);
  const auto number = parse_hex_number(cursor.until('='));
  const auto value = parse_hex_bytes(cursor.rest());
  auto file = registers_of(selected_);
  if (!file) return error_reply(file.error().text);
  RegisterFile changed = *file;
  if (!number || !value || !layout().set(changed, *number, *value)) return error_reply("no such register");
  return store(target_, selected_, *file, changed);
}

std::string Stub::read_memory(std::string_view range, bool binary) {
  Cursor cursor(range);
  const auto from = cursor.hex_number();
  const auto size = cursor.skip(",") ? cursor.hex_number() : std::nullopt;
  if (!from || !size || !cursor.done()) return error_reply("not a range of memory");
  const std::size_t most = std::min<std::uint64_t>(*size, kMaxPacket / 2 - 16);
  const Bytes bytes = most == 0 ? Bytes{} : target_.read_memory(RemoteAddr(*from), most);
  if (bytes.empty() && *size != 0) return kNoData;
  return binary ? "b" + escape(view(bytes)) : hex(bytes);
}

std::string Stub::write_memory(std::string_view assignment, bool binary) {
  Cursor cursor(assignment);
  const auto to = cursor.hex_number();
  const auto size = cursor.skip(",") ? cursor.hex_number() : std::nullopt;
  if (!to || !size || !cursor.skip(":")) return error_reply("not a range of memory");
  const auto bytes = binary ? std::optional(std::string(cursor.rest())) : parse_hex_bytes(cursor.rest());
  if (!bytes || bytes->size() != *size) return error_reply("not as many bytes as announced");
  if (bytes->empty()) return "OK";
  auto done = target_.write_memory(RemoteAddr(*to), bytes_of(*bytes));
  return done ? "OK" : error_reply(done.error().text);
}

namespace {

// Each XLEN,EXPR. nullopt: something else. What follows (commands, the client's thread) is not asked for.
std::optional<std::vector<std::string>> conditions(std::string_view text) {
  constexpr std::size_t kMost = 64;
  std::vector<std::string> list;
  Cursor cursor(text);
  while (cursor.skip("X")) {
    const auto size = cursor.hex_number();
    if (!size || *size == 0 || *size > kMaxAgentExpression || !cursor.skip(",")) return std::nullopt;
    if (cursor.rest().size() < 2 * *size || list.size() == kMost) return std::nullopt;
    auto bytes = parse_hex_bytes(cursor.rest().substr(0, 2 * *size));
    if (!bytes) return std::nullopt;
    list.push_back(std::move(*bytes));
    cursor = Cursor(cursor.rest().substr(2 * *size));
  }
  if (!cursor.done()) return std::nullopt;
  return list;
}

}  // namespace

// type,address,kind[;conditions]: the kind of a breakpoint is the length of an instruction, and says nothing here.
std::string Stub::breakpoint(std::string_view request, bool insert) {
  const std::size_t semicolon = std::min(request.find(';'), request.size());
  Cursor cursor(request.substr(0, semicolon));
  const auto given = conditions(request.substr(std::min(semicolon + 1, request.size())));
  if (!given) return error_reply("not conditions of a breakpoint");
  std::uint64_t parts[3] = {};
  for (std::uint64_t& part : parts) {
    const auto value = &part == parts || cursor.skip(",") ? cursor.hex_number() : std::nullopt;
    if (!value) return error_reply("not a breakpoint");
    part = *value;
  }
  const auto [type, at, kind] = parts;
  if (!cursor.done()) return error_reply("not a breakpoint");
  if (type > 4) return {};
  const bool watches = type >= 2;
  if (watches && kind == 0) return error_reply("a watchpoint of no bytes");
  const Breakpoint breakpoint{static_cast<Breakpoint::Kind>(type), RemoteAddr(at), watches ? kind : 1, *given};
  auto done = insert ? target_.insert(breakpoint) : target_.remove(breakpoint);
  return done ? "OK" : error_reply(done.error().text);
}

}  // namespace tmrec::gdbstub
