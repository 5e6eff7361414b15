#include "replayer/moment.h"

#include <array>
#include <charconv>
#include <ctime>

#include <fmt/format.h>

namespace tmrec::replayer {

namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kDay = 24 * 60 * 60 * kSecond;
constexpr std::size_t kFractionDigits = 9;

// ".25" as nanoseconds; nothing is 0.
std::optional<std::int64_t> fraction(std::string_view text) {
  if (text.empty()) return 0;
  std::string digits(text.substr(1));
  if (text.front() != '.' || digits.empty() || digits.size() > kFractionDigits) return std::nullopt;
  digits.resize(kFractionDigits, '0');
  const auto value = parse_number(digits);
  return value ? std::optional(static_cast<std::int64_t>(*value)) : std::nullopt;
}

}  // namespace

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string text_of(const Position& position) {
  return fmt::format("{}.{}.{}", position.event.value, position.ticks.value, position.steps);
}

std::optional<GivenPosition> parse_position(std::string_view text) {
  std::array<std::uint64_t, 3> numbers{};
  std::size_t count = 0;
  for (;; ++count) {
    if (count == numbers.size()) return std::nullopt;
    const std::size_t dot = text.find('.');
    const auto value = parse_number(text.substr(0, dot));
    if (!value) return std::nullopt;
    numbers[count] = *value;
    if (dot == std::string_view::npos) break;
    text.remove_prefix(dot + 1);
  }
  return GivenPosition{{EventNo(numbers[0]), Ticks(numbers[1]), numbers[2]}, count + 1};
}

std::string wall_clock(std::int64_t ns) {
  const auto seconds = static_cast<time_t>(ns / kSecond);
  tm parts{};
  std::array<char, 32> text{};
  if (localtime_r(&seconds, &parts) == nullptr) return "?";
  strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &parts);
  return fmt::format("{}.{:06}", text.data(), ns % kSecond / 1000);
}

std::optional<std::uint64_t> parse_moment(std::string_view text, std::int64_t began) {
  const std::string words(text);
  const std::size_t dot = text.find('.');
  const auto rest = fraction(dot == std::string_view::npos ? std::string_view{} : text.substr(dot));
  if (!rest) return std::nullopt;
  if (text.find(':') == std::string_view::npos) {
    const auto seconds = parse_number(text.substr(0, dot));
    constexpr std::uint64_t kMost = std::uint64_t{INT64_MAX} / static_cast<std::uint64_t>(kSecond) - 1;
    if (!seconds || *seconds > kMost) return std::nullopt;
    return *seconds * static_cast<std::uint64_t>(kSecond) + static_cast<std::uint64_t>(*rest);
  }
  const auto start = static_cast<time_t>(began / kSecond);
  tm parts{};
  if (localtime_r(&start, &parts) == nullptr) return std::nullopt;
  const bool dated = text.find('-') != std::string_view::npos;
  const char* const end = strptime(words.c_str(), dated ? "%Y-%m-%d %H:%M:%S" : "%H:%M:%S", &parts);
  if (end == nullptr || end != words.c_str() + std::min(dot, words.size())) return std::nullopt;
  parts.tm_isdst = -1;
  std::int64_t wanted = static_cast<std::int64_t>(mktime(&parts)) * kSecond + *rest;
  if (!dated && wanted < began - kSecond) wanted += kDay;
  return wanted <= began ? 0 : static_cast<std::uint64_t>(wanted - began);
}

}  // namespace tmrec::replayer
