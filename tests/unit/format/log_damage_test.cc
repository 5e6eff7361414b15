// A log that was cut, damaged or forged.
#include <doctest/doctest.h>

#include <cstring>

#include "format/log.h"
#include "tests/unit/format/samples.h"

using namespace tmrec;
namespace fs = std::filesystem;

namespace {

struct Outcome {
  std::size_t events = 0;
  bool failed = false;
  bool torn = false;
  std::string text;
};

// Reads to the end; checks that what was read is what samples::events() repeats.
Outcome read(const fs::path& dir) {
  static const std::vector<Event> expected = samples::events();
  Outcome out;
  auto reader = LogReader::open(dir);
  if (!reader) {
    CHECK(reader.error().kind == ErrorKind::BadTrace);
    return {0, true, false, reader.error().text};
  }
  while (true) {
    auto event = reader->next();
    if (!event) {
      CHECK(event.error().kind == ErrorKind::BadTrace);
      const auto again = reader->next();
      REQUIRE_FALSE(again);
      CHECK(again.error().text == event.error().text);
      out.failed = true;
      out.text = event.error().text;
      return out;
    }
    if (!*event) break;
    Event wanted = expected[out.events % expected.size()];
    wanted.no = EventNo(++out.events);
    REQUIRE(samples::same(**event, wanted));
  }
  out.torn = reader->torn();
  out.text = reader->lost();
  CHECK_FALSE(*reader->next());
  return out;
}

// A log of `chunks` chunks, each of which holds the sample events once: as many logs, their chunks renumbered.
Bytes chunks_of_samples(const fs::path& dir, int chunks) {
  const fs::path log = dir / "log";
  Bytes all;
  auto writer = LogWriter::create(dir);
  REQUIRE(writer);
  for (int i = 0; i < chunks; ++i) {
    for (Event event : samples::events()) (*writer)->append(std::move(event));
    // A chunk is written when it is 200 ms old.
    for (int wait = 0; wait < 1000; ++wait) {
      if (read(dir).events == samples::events().size() * static_cast<std::size_t>(i + 1)) break;
      timespec ten_ms{0, 10'000'000};
      nanosleep(&ten_ms, nullptr);
    }
  }
  REQUIRE((*writer)->finish());
  return samples::contents(log_segment_path(dir, 1));
}

std::vector<std::size_t> chunk_starts(const Bytes& segment) {
  std::vector<std::size_t> starts;
  for (std::size_t at = 0; at < segment.size();) {
    starts.push_back(at);
    ChunkHeader header;
    REQUIRE(at + sizeof header <= segment.size());
    std::memcpy(&header, segment.data() + at, sizeof header);
    at += sizeof header + header.compressed_size;
  }
  return starts;
}

}  // namespace

TEST_CASE("a log cut at any byte keeps every chunk before the cut") {
  const samples::TemporaryDirectory dir;
  const Bytes whole = chunks_of_samples(dir.path(), 2);
  const auto starts = chunk_starts(whole);
  REQUIRE(starts.size() == 2);
  const std::size_t per_chunk = samples::events().size();
  for (std::size_t n = 0; n < whole.size(); ++n) {
    samples::overwrite(log_segment_path(dir.path(), 1),
                       Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(n)));
    const Outcome out = read(dir.path());
    CHECK_FALSE_MESSAGE(out.failed, out.text);
    CHECK(out.events == (n < starts[1] ? 0 : per_chunk));
    CHECK(out.torn == (n != 0 && n != starts[1]));
    CHECK(out.torn == !out.text.empty());
  }
}

TEST_CASE("zeros where a power failure lost the last chunk count as a cut") {
  const samples::TemporaryDirectory dir;
  const Bytes whole = chunks_of_samples(dir.path(), 2);
  const auto starts = chunk_starts(whole);
  Bytes damaged = whole;
  std::fill(damaged.begin() + static_cast<std::ptrdiff_t>(starts[1]), damaged.end(), 0);
  damaged.resize(damaged.size() + 5000);
  samples::overwrite(log_segment_path(dir.path(), 1), damaged);
  const Outcome out = read(dir.path());
  CHECK_FALSE_MESSAGE(out.failed, out.text);
  CHECK(out.torn);
  CHECK(out.events == samples::events().size());
}

TEST_CASE("a bit flipped anywhere is an error that names file, offset and event") {
  const samples::TemporaryDirectory dir;
  const Bytes whole = chunks_of_samples(dir.path(), 2);
  const auto starts = chunk_starts(whole);
  for (std::size_t byte = 0; byte < whole.size(); ++byte) {
    Bytes damaged = whole;
    damaged[byte] ^= static_cast<std::uint8_t>(1u << byte % 8);
    samples::overwrite(log_segment_path(dir.path(), 1), damaged);
    const Outcome out = read(dir.path());
    CHECK(out.failed);
    const bool first = byte < starts[1];
    CHECK(out.events == (first ? 0 : samples::events().size()));
    const std::string place = "log/000001: offset " + std::to_string(first ? 0 : starts[1]) + ", after event ";
    CHECK_MESSAGE(out.text.find(place) != std::string::npos, out.text);
  }
}

TEST_CASE("a chunk that is missing, repeated or exchanged is noticed") {
  const samples::TemporaryDirectory dir;
  const Bytes whole = chunks_of_samples(dir.path(), 3);
  const auto starts = chunk_starts(whole);
  REQUIRE(starts.size() == 3);
  const auto chunk = [&](std::size_t i) {
    const std::size_t end = i + 1 < starts.size() ? starts[i + 1] : whole.size();
    return Bytes(whole.begin() + static_cast<std::ptrdiff_t>(starts[i]),
                 whole.begin() + static_cast<std::ptrdiff_t>(end));
  };
  for (const std::vector<std::size_t>& order :
       std::vector<std::vector<std::size_t>>{{0, 2}, {1, 2}, {0, 1, 1}, {0, 2, 1}, {2}}) {
    Bytes forged;
    for (const std::size_t i : order) {
      const Bytes c = chunk(i);
      forged.insert(forged.end(), c.begin(), c.end());
    }
    samples::overwrite(log_segment_path(dir.path(), 1), forged);
    const Outcome out = read(dir.path());
    CHECK(out.failed);
    CHECK_MESSAGE(out.text.find(" belongs") != std::string::npos, out.text);
  }
}

TEST_CASE("only the last segment may be torn; none may be missing or foreign") {
  const samples::TemporaryDirectory dir;
  const Bytes whole = chunks_of_samples(dir.path(), 2);
  const auto second = static_cast<std::ptrdiff_t>(chunk_starts(whole)[1]);
  const Bytes first_chunk(whole.begin(), whole.begin() + second), second_chunk(whole.begin() + second, whole.end());
  samples::overwrite(log_segment_path(dir.path(), 1), first_chunk);
  samples::overwrite(log_segment_path(dir.path(), 2), second_chunk);
  CHECK(read(dir.path()).events == 2 * samples::events().size());

  SUBCASE("cut in the middle") {
    for (const std::size_t n : {std::size_t{10}, first_chunk.size() - 1}) {
      samples::overwrite(log_segment_path(dir.path(), 1),
                         Bytes(first_chunk.begin(), first_chunk.begin() + static_cast<std::ptrdiff_t>(n)));
      const Outcome out = read(dir.path());
      CHECK(out.failed);
      CHECK_MESSAGE(out.text.find("cut off") != std::string::npos, out.text);
    }
  }
  SUBCASE("missing") {
    fs::rename(log_segment_path(dir.path(), 2), log_segment_path(dir.path(), 3));
    const Outcome out = read(dir.path());
    CHECK(out.failed);
    CHECK_MESSAGE(out.text.find("missing") != std::string::npos, out.text);
  }
  SUBCASE("foreign") {
    samples::overwrite(dir.path() / "log" / "core", {1});
    CHECK(read(dir.path()).failed);
  }
  SUBCASE("a link") {
    fs::remove(log_segment_path(dir.path(), 2));
    fs::create_symlink("/dev/zero", log_segment_path(dir.path(), 2));
    CHECK(read(dir.path()).failed);
  }
  SUBCASE("a newer version") {
    Bytes newer = first_chunk;
    newer[offsetof(ChunkHeader, version)] = 9;
    samples::overwrite(log_segment_path(dir.path(), 1), newer);
    CHECK(read(dir.path()).text.find("newer version 9") != std::string::npos);
  }
}
