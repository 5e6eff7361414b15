#include "cli/trace_facts.h"

#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "cli/trace_place.h"

namespace tmrec::cli {
namespace fs = std::filesystem;
namespace {

bool plain_word(const std::string& word) {
  constexpr std::string_view kPlain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+-/=:,@%^";
  return !word.empty() && word.find_first_not_of(kPlain) == std::string::npos;
}

// Shell quoting that also keeps control characters off the terminal.
std::string quoted(const std::string& word) {
  if (plain_word(word)) return word;
  const bool control = std::ranges::any_of(word, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  std::string out = control ? "$'" : "'";
  for (const char c : word) {
    if (const auto byte = static_cast<unsigned char>(c); byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else if (c == '\'') {
      out += control ? "\\'" : "'\\''";
    } else if (c == '\\' && control) {
      out += "\\\\";
    } else {
      out += c;
    }
  }
  return out + "'";
}

}  // namespace

std::string state_of(const Manifest& manifest, const fs::path& trace) {
  if (manifest.complete) return manifest.end_reason.empty() ? "ok" : "ended early";
  return being_recorded(trace) ? "recording" : "broken off";
}

std::uint64_t size_of(const fs::path& trace) {
  std::uint64_t bytes = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator entry(trace, error), end; !error && entry != end; entry.increment(error)) {
    std::error_code ignored;
    if (entry->is_regular_file(ignored) && !entry->is_symlink(ignored)) bytes += entry->file_size(ignored);
  }
  return bytes;
}

std::string shown_command(const std::vector<std::string>& command) {
  std::string out;
  for (const std::string& word : command) {
    if (!out.empty()) out += ' ';
    out += quoted(word);
  }
  return out;
}

std::string shown_time(std::int64_t seconds) {
  const auto time = static_cast<time_t>(seconds);
  tm parts{};
  if (::localtime_r(&time, &parts) == nullptr) return "?";
  std::array<char, 32> text{};
  ::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &parts);
  return text.data();
}

}  // namespace tmrec::cli
