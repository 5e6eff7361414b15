#include "cli/quantity.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <span>

namespace tmrec::cli {
namespace {

struct Unit {
  std::string_view name;
  double factor;
};

constexpr double kKi = 1024;
constexpr std::array kSizeUnits{
    Unit{"", 1},
    Unit{"b", 1},
    Unit{"k", kKi},
    Unit{"kb", kKi},
    Unit{"kib", kKi},
    Unit{"m", kKi* kKi},
    Unit{"mb", kKi* kKi},
    Unit{"mib", kKi* kKi},
    Unit{"g", kKi* kKi* kKi},
    Unit{"gb", kKi* kKi* kKi},
    Unit{"gib", kKi* kKi* kKi},
    Unit{"t", kKi* kKi* kKi* kKi},
    Unit{"tb", kKi* kKi* kKi* kKi},
    Unit{"tib", kKi* kKi* kKi* kKi},
};
constexpr std::array kDurationUnits{Unit{"ms", 1e6}, Unit{"s", 1e9}, Unit{"m", 60e9}, Unit{"h", 3600e9}};

// A decimal number without sign, exponent or blanks, and a unit of the list.
Result<std::uint64_t> parse(std::string_view text, std::span<const Unit> units, std::string_view wanted) {
  const auto bad = [&] { return fail(ErrorKind::Usage, fmt::format("'{}' is not {}", text, wanted)); };
  const std::size_t digits = std::min(text.find_first_not_of("0123456789."), text.size());
  const std::string number(text.substr(0, digits));
  if (number.empty() || std::ranges::count(number, '.') > 1 || number == ".") return bad();
  std::string name(text.substr(digits));
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const auto unit = std::ranges::find(units, name, &Unit::name);
  if (unit == units.end()) return bad();
  // Whole numbers without a unit stay exact beyond 2^53.
  if (unit->factor == 1 && number.find('.') == std::string::npos) {
    errno = 0;
    const std::uint64_t value = std::strtoull(number.c_str(), nullptr, 10);
    if (errno == ERANGE) return bad();
    return value;
  }
  const double value = std::strtod(number.c_str(), nullptr) * unit->factor;
  if (value >= 0x1p64) return bad();
  return static_cast<std::uint64_t>(value);
}

}  // namespace

Result<std::uint64_t> parse_size(std::string_view text) {
  return parse(text, kSizeUnits, "a size (like 4096, 64K, 1.5M or 2G)");
}

Result<std::uint64_t> parse_duration(std::string_view text) {
  return parse(text, kDurationUnits, "a duration (like 250ms, 30s, 5m or 2h)");
}

std::string show_size(std::uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{} B", bytes);
  constexpr std::array<std::string_view, 6> kNames{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double value = static_cast<double>(bytes) / kKi;
  std::size_t unit = 0;
  while (value >= 999.95 && unit + 1 < kNames.size()) {
    value /= kKi;
    ++unit;
  }
  return fmt::format("{:.1f} {}", value, kNames[unit]);
}

std::string show_duration(std::uint64_t ns) {
  const double ms = static_cast<double>(ns) / 1e6;
  if (ms < 9.95) return ns == 0 ? "0 ms" : fmt::format("{:.1f} ms", ms);
  if (ms < 999.5) return fmt::format("{:.0f} ms", ms);
  if (ms < 59'950) return fmt::format("{:.1f} s", ms / 1e3);
  const auto seconds = static_cast<std::uint64_t>(std::llround(ms / 1e3));
  if (seconds < 3600) return fmt::format("{} m {:02} s", seconds / 60, seconds % 60);
  return fmt::format("{} h {:02} m", seconds / 3600, seconds / 60 % 60);
}

}  // namespace tmrec::cli
