// Positions and times as people write them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "replayer/place.h"

namespace tmrec::replayer {

// Decimal digits alone; nullopt: something else, or more than 64 bits.
std::optional<std::uint64_t> parse_number(std::string_view text);

// EVENT.TICKS.INSTRUCTIONS
std::string text_of(const Position& position);
// `parts`: how many of the three are given, one at least; the rest is 0.
struct GivenPosition {
  Position position;
  std::size_t parts = 0;
};
std::optional<GivenPosition> parse_position(std::string_view text);

// Nanoseconds since 1970 (UTC) as date and time here, to the microsecond.
std::string wall_clock(std::int64_t ns);

// Nanoseconds since the start of a recording that began at `began`, nanoseconds since 1970. SECONDS[.FRACTION] since
// the start; or, local time, [YYYY-MM-DD ]HH:MM:SS[.FRACTION], without a date the first such time after the start.
// Times before the start are 0; nullopt: neither.
std::optional<std::uint64_t> parse_moment(std::string_view text, std::int64_t began);

}  // namespace tmrec::replayer
