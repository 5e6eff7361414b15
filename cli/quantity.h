// Sizes and durations as people write them on a command line and read them in a listing.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "format/result.h"

namespace tmrec::cli {

// "4096", "64K", "1.5M", "2GiB", "1t": bytes; units are powers of 1024, in either case, with or without "B" or "iB".
// Errors: ErrorKind::Usage for anything else, for negative values and for 2^64 and more.
Result<std::uint64_t> parse_size(std::string_view text);

// "250ms", "30s", "1.5m", "2h": nanoseconds. A unit is required, since a bare number is what people get wrong.
// Errors as above.
Result<std::uint64_t> parse_duration(std::string_view text);

// Three digits and a unit that a reader need not convert: "0 B", "999 B", "1.5 KiB", "12.3 MiB".
std::string show_size(std::uint64_t bytes);

// "0 ms", "1.2 ms", "350 ms", "12.3 s", "4 m 05 s", "3 h 07 m".
std::string show_duration(std::uint64_t ns);

}  // namespace tmrec::cli
