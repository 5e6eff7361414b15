// Numbers and bytes as the protocol writes them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "format/event.h"

namespace tmrec::gdbstub {

std::string hex(std::span<const std::uint8_t> bytes);
std::string hex(std::string_view bytes);
std::string hex_byte(std::uint8_t byte);
std::string hex_number(std::uint64_t value);  // most significant digit first, without leading zeros
// nullopt: an odd number of digits, or not digits.
std::optional<std::string> parse_hex_bytes(std::string_view digits);
// The whole of it; nullopt: empty, more than 64 bits, or not digits.
std::optional<std::uint64_t> parse_hex_number(std::string_view digits);

// Reads a packet from left to right.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : rest_(text) {}
  std::string_view rest() const { return rest_; }
  bool done() const { return rest_.empty(); }
  // True, and it is passed over, when the text goes on with it.
  bool skip(std::string_view what);
  // Up to the separator, which is passed over, or to the end.
  std::string_view until(char separator);
  // Up to the first byte that is no digit; nullopt: no digit, or more than 64 bits.
  std::optional<std::uint64_t> hex_number();

 private:
  std::string_view rest_;
};

inline std::string_view view(const Bytes& bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
inline Bytes bytes_of(std::string_view text) { return {text.begin(), text.end()}; }

}  // namespace tmrec::gdbstub
