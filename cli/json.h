// Writes JSON (RFC 8259) on one line: what --json prints. Only writing; manifests are read by format/.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace tmrec::cli {

// `text` in quotes. Bytes that are no valid UTF-8 (arguments and paths are bytes) become U+FFFD.
std::string json_string(std::string_view text);

// {"key":value,...} in the order added.
class JsonObject {
 public:
  JsonObject& add(std::string_view key, std::string_view text) { return raw(key, json_string(text)); }
  JsonObject& add(std::string_view key, const char* text) { return raw(key, json_string(text)); }
  JsonObject& add(std::string_view key, bool value) { return raw(key, value ? "true" : "false"); }
  JsonObject& add(std::string_view key, std::integral auto value) { return raw(key, std::to_string(value)); }
  JsonObject& raw(std::string_view key, std::string_view json);
  std::string str() const { return "{" + members_ + "}"; }

 private:
  std::string members_;
};

// [value,...]
class JsonArray {
 public:
  JsonArray& add(std::string_view text) { return raw(json_string(text)); }
  JsonArray& raw(std::string_view json);
  std::string str() const { return "[" + items_ + "]"; }

 private:
  std::string items_;
};

}  // namespace tmrec::cli
