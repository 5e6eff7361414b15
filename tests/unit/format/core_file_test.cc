#include "format/core_file.h"

#include <doctest/doctest.h>
#include <sys/mman.h>

#include <cstring>
#include <map>

#include "format/core_layout.h"
#include "tests/unit/format/samples.h"

using namespace tmrec;
namespace fs = std::filesystem;

namespace {

// Stored pages by address.
std::map<std::uint64_t, Bytes> pages_of(const Snapshot& s, bool drop_implied_zeros) {
  std::map<std::uint64_t, Bytes> pages;
  for (const Extent& e : s.pages) {
    for (std::size_t at = 0; at < e.bytes.size(); at += kPageSize) {
      const auto from = e.bytes.begin() + static_cast<std::ptrdiff_t>(at);
      Bytes page(from, from + kPageSize);
      const Mapping* m = core::mapping_of(s.mappings, e.addr + at, e.addr + at + kPageSize);
      REQUIRE(m != nullptr);
      if (drop_implied_zeros && m->source.kind != MapSource::Kind::File && page == Bytes(kPageSize)) continue;
      pages[e.addr.value + at] = std::move(page);
    }
  }
  return pages;
}

void check_round_trip(const Snapshot& snapshot) {
  const samples::TemporaryDirectory dir;
  const fs::path path = dir.path() / "snapshot-1-77.core";
  const auto written = write_core(snapshot, path);
  REQUIRE_MESSAGE(written, written.error().text);
  CHECK(static_cast<unsigned>(fs::status(path).permissions()) == 0600);
  const auto read = read_core(path);
  REQUIRE_MESSAGE(read, read.error().text);
  CHECK(samples::same_but_pages(snapshot, *read));
  CHECK(pages_of(*read, false) == pages_of(snapshot, true));
}

void check_bad(const fs::path& path) {
  const auto read = read_core(path);
  REQUIRE_FALSE(read);
  CHECK(read.error().kind == ErrorKind::BadTrace);
  CHECK_MESSAGE(read.error().text.starts_with(path.string() + ": "), read.error().text);
}

}  // namespace

TEST_CASE("a snapshot survives as a core file") { check_round_trip(samples::snapshot()); }

TEST_CASE("a snapshot without anything survives") { check_round_trip({}); }

TEST_CASE("a snapshot with more segments than an ELF header can count survives") {
  Snapshot s = samples::snapshot();
  s.pages.clear();
  s.mappings.clear();
  s.mappings.push_back(
      {RemoteAddr(0x10000000), RemoteAddr(0x10000000 + 70'000 * kPageSize), PROT_READ, false, false, {}, ""});
  for (std::uint64_t i = 0; i < 35'000; ++i)
    s.pages.push_back(
        {RemoteAddr(0x10000000 + i * 2 * kPageSize), Bytes(kPageSize, static_cast<std::uint8_t>(i | 1)), false});
  check_round_trip(s);
}

TEST_CASE("a snapshot that contradicts itself is not written") {
  const samples::TemporaryDirectory dir;
  Snapshot s = samples::snapshot();
  SUBCASE("pages outside of the mappings") { s.pages.push_back({RemoteAddr(0x7fffff000000), Bytes(kPageSize), false}); }
  SUBCASE("pages out of order") { std::swap(s.pages.front(), s.pages.back()); }
  SUBCASE("half a page") { s.pages.back().bytes.pop_back(); }
  SUBCASE("mappings out of order") { std::swap(s.mappings.front(), s.mappings.back()); }
  SUBCASE("an empty mapping") { s.mappings.back().end = s.mappings.back().start; }
  CHECK_FALSE(write_core(s, dir.path() / "x.core"));
  CHECK_FALSE(fs::exists(dir.path() / "x.core"));
}

TEST_CASE("a core file is written once and leaves nothing when it fails") {
  const samples::TemporaryDirectory dir;
  REQUIRE(write_core(samples::snapshot(), dir.path() / "x.core"));
  CHECK_FALSE(write_core(samples::snapshot(), dir.path() / "x.core"));
  CHECK_FALSE(write_core(samples::snapshot(), dir.path() / "missing" / "x.core"));
}

TEST_CASE("a core file that is cut or damaged anywhere is an error") {
  const samples::TemporaryDirectory dir;
  const fs::path path = dir.path() / "x.core";
  REQUIRE(write_core(samples::snapshot(), path));
  const Bytes whole = samples::contents(path);
  REQUIRE(whole.size() >= 8 * kPageSize);
  // Densely in headers and notes, here and there in the pages.
  const auto step = [](std::size_t i) { return i < 4 * kPageSize ? 5 : 509; };
  for (std::size_t i = 0; i < whole.size(); i += static_cast<std::size_t>(step(i))) {
    samples::overwrite(path, Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(i)));
    check_bad(path);
    Bytes damaged = whole;
    damaged[i] ^= static_cast<std::uint8_t>(1u << i % 8);
    samples::overwrite(path, damaged);
    check_bad(path);
  }
  Bytes longer = whole;
  longer.push_back(0);
  samples::overwrite(path, longer);
  check_bad(path);
}

TEST_CASE("other files are not snapshots") {
  const samples::TemporaryDirectory dir;
  check_bad("/proc/self/exe");
  check_bad("/dev/null");
  check_bad(dir.path());
  check_bad(dir.path() / "missing");
}
