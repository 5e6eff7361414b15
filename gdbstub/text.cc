#include "gdbstub/text.h"

#include <algorithm>
#include <charconv>

namespace tmrec::gdbstub {

namespace {

constexpr std::string_view kDigits = "0123456789abcdef";

std::optional<std::uint8_t> digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<std::uint8_t>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<std::uint8_t>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<std::uint8_t>(c - 'A' + 10);
  return std::nullopt;
}

}  // namespace

std::string hex_byte(std::uint8_t byte) { return {kDigits[byte >> 4], kDigits[byte & 15]}; }

std::string hex(std::span<const std::uint8_t> bytes) {
  std::string text;
  text.reserve(2 * bytes.size());
  for (const std::uint8_t byte : bytes) text += {kDigits[byte >> 4], kDigits[byte & 15]};
  return text;
}

std::string hex(std::string_view bytes) {
  return hex(std::span(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()));
}

std::string hex_number(std::uint64_t value) {
  char digits[16];
  const auto end = std::to_chars(digits, digits + sizeof digits, value, 16).ptr;
  return {digits, end};
}

std::optional<std::string> parse_hex_bytes(std::string_view digits) {
  if (digits.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  bytes.reserve(digits.size() / 2);
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    const auto high = digit(digits[i]), low = digit(digits[i + 1]);
    if (!high || !low) return std::nullopt;
    bytes += static_cast<char>(*high << 4 | *low);
  }
  return bytes;
}

std::optional<std::uint64_t> parse_hex_number(std::string_view digits) {
  Cursor cursor(digits);
  auto value = cursor.hex_number();
  return cursor.done() ? value : std::nullopt;
}

bool Cursor::skip(std::string_view what) {
  if (!rest_.starts_with(what)) return false;
  rest_.remove_prefix(what.size());
  return true;
}

std::string_view Cursor::until(char separator) {
  const std::size_t at = std::min(rest_.find(separator), rest_.size());
  const std::string_view part = rest_.substr(0, at);
  rest_.remove_prefix(std::min(at + 1, rest_.size()));
  return part;
}

std::optional<std::uint64_t> Cursor::hex_number() {
  std::uint64_t value = 0;
  std::size_t digits = 0;
  for (; digits < rest_.size(); ++digits) {
    const auto d = digit(rest_[digits]);
    if (!d) break;
    if (value >> 60 != 0) return std::nullopt;
    value = value << 4 | *d;
  }
  if (digits == 0) return std::nullopt;
  rest_.remove_prefix(digits);
  return value;
}

}  // namespace tmrec::gdbstub
