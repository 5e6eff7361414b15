#include "cli/quantity.h"

#include <doctest/doctest.h>

namespace tmrec::cli {

TEST_CASE("sizes are powers of 1024 in every spelling of the unit") {
  CHECK(parse_size("4096").value() == 4096);
  CHECK(parse_size("64K").value() == 65536);
  CHECK(parse_size("64k").value() == 65536);
  CHECK(parse_size("64KiB").value() == 65536);
  CHECK(parse_size("64kb").value() == 65536);
  CHECK(parse_size("1.5M").value() == 1'572'864);
  CHECK(parse_size("2G").value() == 2'147'483'648u);
  CHECK(parse_size("1T").value() == 1ull << 40);
  CHECK(parse_size("0").value() == 0);
  CHECK(parse_size("18446744073709551615").value() == 18446744073709551615u);
}

TEST_CASE("what is not a size is a usage error that repeats the text") {
  for (const char* text :
       {"", "K", ".", "1..5M", "-1", "+1", "1 K", "1e3", "0x10", "5X", "18446744073709551616", "99999999999T"}) {
    CAPTURE(text);
    const Result<std::uint64_t> size = parse_size(text);
    REQUIRE(!size);
    CHECK(size.error().kind == ErrorKind::Usage);
    CHECK(size.error().text.find(text) != std::string::npos);
  }
}

TEST_CASE("durations need a unit") {
  CHECK(parse_duration("250ms").value() == 250'000'000);
  CHECK(parse_duration("30s").value() == 30'000'000'000);
  CHECK(parse_duration("1.5m").value() == 90'000'000'000);
  CHECK(parse_duration("2h").value() == 7'200'000'000'000);
  for (const char* text : {"", "5", "5d", "s", "-1s", "1 s", "9999999999h"}) {
    CAPTURE(text);
    CHECK(!parse_duration(text));
  }
}

TEST_CASE("sizes are shown with the unit that keeps the number short") {
  CHECK(show_size(0) == "0 B");
  CHECK(show_size(1023) == "1023 B");
  CHECK(show_size(1024) == "1.0 KiB");
  CHECK(show_size(1536) == "1.5 KiB");
  CHECK(show_size((1u << 20) - 1) == "1.0 MiB");  // not "1024.0 KiB"
  CHECK(show_size(5ull << 30) == "5.0 GiB");
  CHECK(show_size(~0ull) == "16.0 EiB");
}

TEST_CASE("durations are shown without a unit above 59") {
  CHECK(show_duration(0) == "0 ms");
  CHECK(show_duration(1'234'567) == "1.2 ms");
  CHECK(show_duration(350'000'000) == "350 ms");
  CHECK(show_duration(999'900'000) == "1.0 s");
  CHECK(show_duration(12'340'000'000) == "12.3 s");
  CHECK(show_duration(59'990'000'000) == "1 m 00 s");
  CHECK(show_duration(245'000'000'000) == "4 m 05 s");
  CHECK(show_duration(11'220'000'000'000) == "3 h 07 m");
}

}  // namespace tmrec::cli
