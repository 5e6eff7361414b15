#include "replayer/moment.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <ctime>

using namespace tmrec;
using namespace tmrec::replayer;

namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

// 2023-11-14 22:13:20.5 UTC
constexpr std::int64_t kBegan = 1'700'000'000 * kSecond + kSecond / 2;

struct Utc {
  Utc() {
    setenv("TZ", "UTC", 1);
    tzset();
  }
};

}  // namespace

TEST_CASE("a position is written and read back") {
  const Position position{EventNo(87), Ticks(3676), 23};
  CHECK(text_of(position) == "87.3676.23");
  CHECK(parse_position("87.3676.23")->position == position);
  CHECK(parse_position("87.3676.23")->parts == 3);
  CHECK(parse_position("87")->position == Position{EventNo(87), Ticks(0), 0});
  CHECK(parse_position("87")->parts == 1);
  for (const char* bad : {"", ".", "1.", ".1", "1..2", "1.2.3.4", "1.2.3.", "-1", "x", "1 ", "18446744073709551616"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_position(bad));
  }
}

TEST_CASE_FIXTURE(Utc, "a moment is seconds since the start, or a time of day") {
  CHECK(wall_clock(kBegan) == "2023-11-14 22:13:20.500000");
  CHECK(parse_moment("0", kBegan) == 0u);
  CHECK(parse_moment("1.25", kBegan) == 1'250'000'000u);
  CHECK(parse_moment("22:13:21", kBegan) == 500'000'000u);
  CHECK(parse_moment("22:13:21.75", kBegan) == 1'250'000'000u);
  CHECK(parse_moment("2023-11-15 22:13:20.5", kBegan) == 86'400'000'000'000u);
}

TEST_CASE_FIXTURE(Utc, "a time of day before the start is of the next day, or the start") {
  CHECK(parse_moment("01:00:00", kBegan) == std::uint64_t{(2 * 3600 + 46 * 60 + 39)} * 1'000'000'000 + 500'000'000);
  CHECK(parse_moment("22:13:20", kBegan) == 0u);
  CHECK(parse_moment("2001-01-01 00:00:00", kBegan) == 0u);
}

TEST_CASE_FIXTURE(Utc, "what is no moment is refused") {
  for (const char* bad : {"", "x", "1.", ".5", "1.1234567890", "-1", "25:00", "10:20", "10:20:30x", "2023-11-14",
                          "99999999999999", "10:20:30.x", "2023-99-14 10:20:30"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_moment(bad, kBegan));
  }
}
