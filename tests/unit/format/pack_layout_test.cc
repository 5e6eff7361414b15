#include "format/pack_layout.h"

#include <doctest/doctest.h>

#include <cstring>

using namespace tmrec;

TEST_CASE("a header says what was put into it, whatever the size") {
  for (const std::uint64_t size : {std::uint64_t{0}, std::uint64_t{511}, (std::uint64_t{1} << 33) - 1,
                                   std::uint64_t{1} << 33, std::uint64_t{1} << 63}) {
    const auto entry = pack::read_header(pack::tar_header("folder", "log/000001", pack::kRegular, size));
    REQUIRE(entry);
    CHECK(entry->path == "folder/log/000001");
    CHECK(entry->type == pack::kRegular);
    CHECK(entry->size == size);
  }
  const std::string longest(100, 'x');
  CHECK(pack::read_header(pack::tar_header("", longest, pack::kRegular, 1))->path == longest);
}

TEST_CASE("a header with any bit flipped is none") {
  const pack::TarHeader sound = pack::tar_header("folder", "manifest.json", pack::kRegular, 1234);
  for (std::size_t bit = 0; bit < 8 * sizeof sound; ++bit) {
    pack::TarHeader header = sound;
    reinterpret_cast<unsigned char*>(&header)[bit / 8] ^= static_cast<unsigned char>(1u << bit % 8);
    const auto entry = pack::read_header(header);
    // The field of the checksum ends with a NUL and a blank, which nobody reads.
    const std::size_t in_checksum = bit / 8 - offsetof(pack::TarHeader, checksum);
    if (bit / 8 >= offsetof(pack::TarHeader, checksum) && in_checksum >= 6 && in_checksum < 8) continue;
    CHECK_FALSE(entry);
  }
}
