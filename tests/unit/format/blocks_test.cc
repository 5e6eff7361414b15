// Memory that a log holds already: what is read again is what was recorded, whatever happens to the references.
#include "format/blocks.h"

#include <doctest/doctest.h>
#include <fcntl.h>

#include <cstring>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "format/codec.h"
#include "format/log.h"
#include "tests/unit/format/samples.h"

using namespace tmrec;
namespace fs = std::filesystem;

namespace {

// The same for the same `what`.
Bytes block(std::uint64_t what, bool compressible = false, std::size_t size = kBlockSize) {
  Bytes bytes(size);
  std::uint64_t state = what * 2 + 1;
  for (std::uint8_t& byte : bytes) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    byte = static_cast<std::uint8_t>(compressible ? state >> 63 : state >> 56);
  }
  return bytes;
}

Event call_with(std::vector<Bytes> extents) {
  SyscallEvent call;
  for (Bytes& bytes : extents) {
    call.extents.push_back({RemoteAddr(0x1000 * call.extents.size()), std::move(bytes), call.extents.size() % 2 == 1});
  }
  Event event;
  event.body = std::move(call);
  return event;
}

template <class T>
void put(Bytes& to, const T& value) {
  const auto* at = reinterpret_cast<const std::uint8_t*>(&value);
  to.insert(to.end(), at, at + sizeof value);
}

// A call as the agent writes it down, which read this.
Bytes agent_call(const Bytes& content) {
  CallRecord record{};
  record.size = static_cast<std::uint32_t>(sizeof record + sizeof(CallExtent) + padded_to_word(content.size()));
  record.extents = 1;
  record.ret = static_cast<std::int64_t>(content.size());
  Bytes bytes;
  put(bytes, record);
  put(bytes, CallExtent{0x7000, static_cast<std::uint32_t>(content.size()), 0});
  bytes.insert(bytes.end(), content.begin(), content.end());
  bytes.resize(record.size);
  return bytes;
}

std::uint64_t size_of_log(const fs::path& dir) {
  std::uint64_t size = 0;
  for (const auto& segment : fs::directory_iterator(dir / "log")) size += segment.file_size();
  return size;
}

std::vector<Extent> extents_of(const Event& event) { return std::get<SyscallEvent>(event.body).extents; }

void must_be(const std::vector<Extent>& got, const std::vector<Bytes>& wanted) {
  REQUIRE(got.size() == wanted.size());
  for (std::size_t i = 0; i < got.size(); ++i) CHECK(got[i].bytes == wanted[i]);
}

// What is read of a log; an error ends it.
struct Outcome {
  std::size_t events = 0;
  std::string error, lost;
};

Outcome read(const fs::path& dir) {
  Outcome out;
  auto reader = LogReader::open(dir);
  REQUIRE(reader);
  while (true) {
    const auto event = reader->next();
    if (!event) {
      CHECK(event.error().kind == ErrorKind::BadTrace);
      out.error = event.error().text;
      return out;
    }
    if (!*event) break;
    ++out.events;
  }
  out.lost = reader->lost();
  return out;
}

}  // namespace

TEST_CASE("blocks that come again are not written again, whatever is around them") {
  const samples::TemporaryDirectory dir;
  auto log = LogWriter::create(dir.path());
  REQUIRE(log);
  const auto of = [](int i) {
    const auto which = static_cast<std::uint64_t>(i % 50);
    Bytes large = block(1000 + which);
    const Bytes second = block(2000 + which, true), rest = block(static_cast<std::uint64_t>(i), false, 77);
    large.insert(large.end(), second.begin(), second.end());
    large.insert(large.end(), rest.begin(), rest.end());
    return std::vector<Bytes>{block(static_cast<std::uint64_t>(i), false, 13), block(which, which % 2 == 0), large};
  };
  constexpr int kEvents = 2000;
  for (int i = 0; i < kEvents; ++i) REQUIRE((*log)->append(call_with(of(i))) != EventNo(0));
  REQUIRE((*log)->finish());
  // 150 blocks, each twice, and for each event a record with 90 bytes of chance.
  CHECK(size_of_log(dir.path()) < 2 * 150 * kBlockSize + kEvents * 250);

  auto reader = LogReader::open(dir.path());
  REQUIRE(reader);
  for (int i = 0; i < kEvents; ++i) {
    const auto event = i % 7 == 0 ? reader->copy()->next() : reader->next();
    REQUIRE_MESSAGE(event, event.error().text);
    REQUIRE(*event);
    must_be(extents_of(**event), of(i));
    if (i % 7 == 0) REQUIRE(reader->next());
  }
}

TEST_CASE("blocks that the agent's calls have read are referred to, too") {
  const samples::TemporaryDirectory dir;
  auto log = LogWriter::create(dir.path());
  REQUIRE(log);
  constexpr std::uint64_t kBatches = 100;
  for (std::uint64_t i = 0; i < kBatches; ++i) {
    Bytes records;
    for (const std::uint64_t which : {i % 3, 40 + i % 5, 80 + i}) {
      const Bytes one = agent_call(block(which, false, kBlockSize + which % 9));
      records.insert(records.end(), one.begin(), one.end());
    }
    CallBatch batch;
    batch.tid = Tid(71);
    batch.count = 3;
    batch.records = records;
    REQUIRE((*log)->append(batch) != EventNo(0));
  }
  REQUIRE((*log)->finish());
  CHECK(size_of_log(dir.path()) < (100 + 2 * 8 + 10) * kBlockSize);
  auto reader = LogReader::open(dir.path());
  REQUIRE(reader);
  for (std::uint64_t i = 0; i < kBatches; ++i) {
    for (const std::uint64_t which : {i % 3, 40 + i % 5, 80 + i}) {
      const auto event = reader->next();
      REQUIRE_MESSAGE(event, event.error().text);
      must_be(extents_of(**event), {block(which, false, kBlockSize + which % 9)});
    }
  }
}

TEST_CASE("no segment needs another, also when more blocks come than are remembered") {
  const samples::TemporaryDirectory dir;
  constexpr std::uint64_t kBlocks = 9000, kRounds = 3;
  {
    auto log = LogWriter::create(dir.path());
    REQUIRE(log);
    for (std::uint64_t round = 0; round < kRounds; ++round) {
      (*log)->begin_segment([](const LogPlace&) {});
      for (Event& event : samples::events()) {
        if (std::holds_alternative<StartEvent>(event.body)) (*log)->append(event);
      }
      for (std::uint64_t i = 0; i < kBlocks; ++i) {
        REQUIRE((*log)->append(call_with({block(i), block(i % 10)})) != EventNo(0));
      }
    }
    REQUIRE((*log)->finish());
  }
  std::uint64_t last = 1;
  while (fs::exists(log_segment_path(dir.path(), last + 1))) ++last;
  REQUIRE(last >= kRounds);
  for (std::uint64_t first = 1; first <= kRounds; ++first) {
    auto reader = LogReader::open(dir.path());
    REQUIRE(reader);
    std::uint64_t found = 0;
    while (true) {
      const auto event = reader->next();
      REQUIRE_MESSAGE(event, event.error().text);
      if (!*event) break;
      if (!std::holds_alternative<SyscallEvent>((*event)->body)) continue;
      must_be(extents_of(**event), {block(found % kBlocks), block(found % kBlocks % 10)});
      ++found;
    }
    CHECK(found == kBlocks * (kRounds + 1 - first));
    fs::remove(log_segment_path(dir.path(), first));
  }
}

namespace {

// A segment of one chunk, in which eight events refer to three blocks, one of them compressed.
Bytes sample(const fs::path& dir) {
  auto log = LogWriter::create(dir);
  REQUIRE(log);
  for (std::uint64_t i = 0; i < 8; ++i) (*log)->append(call_with({block(i % 3, i % 3 == 1)}));
  REQUIRE((*log)->finish());
  const Bytes segment = samples::contents(log_segment_path(dir, 1));
  ChunkHeader header;
  std::memcpy(&header, segment.data(), sizeof header);
  REQUIRE(segment.size() == sizeof header + header.compressed_size);
  REQUIRE(header.references == 5);
  return segment;
}

}  // namespace

TEST_CASE("a chunk with blocks is whole or lost, and no bit of it may change") {
  const samples::TemporaryDirectory dir;
  const Bytes whole = sample(dir.path());
  for (std::size_t n = 1; n < whole.size(); n += 97) {
    samples::overwrite(log_segment_path(dir.path(), 1),
                       Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(n)));
    const Outcome out = read(dir.path());
    CHECK(out.error == "");
    CHECK(out.events == 0);
    CHECK(out.lost.find("cut off") != std::string::npos);
  }
  for (std::size_t byte = 0; byte < whole.size(); byte += 31) {
    Bytes damaged = whole;
    damaged[byte] ^= static_cast<std::uint8_t>(1u << byte % 8);
    samples::overwrite(log_segment_path(dir.path(), 1), damaged);
    CHECK(read(dir.path()).error.find("log/000001: offset 0") != std::string::npos);
  }
}

TEST_CASE("references that were forged lead nowhere") {
  const samples::TemporaryDirectory dir;
  const std::string path = dir.path() / "segment";
  const Bytes data = block(1), packed = block(2, true);
  Bytes segment(64, 0xaa);
  const auto add = [&](const Bytes& bytes, std::uint32_t size) {
    const auto at = static_cast<std::uint32_t>(segment.size());
    put(segment, StoredBlock{size, 0, XXH3_64bits(bytes.data(), bytes.size())});
    segment.insert(segment.end(), bytes.begin(), bytes.end());
    return at;
  };
  Bytes frame(ZSTD_compressBound(packed.size()));
  frame.resize(ZSTD_compress(frame.data(), frame.size(), packed.data(), packed.size(), 1));
  Bytes small(100);
  small.resize(ZSTD_compress(small.data(), small.size(), "less than a block", 17, 1));
  const std::uint32_t plain = add(data, kBlockSize), compressed = add(frame, static_cast<std::uint32_t>(frame.size()));
  const std::uint32_t wrong_size = add(frame, static_cast<std::uint32_t>(frame.size()) - 1);
  const std::uint32_t too_small = add(small, static_cast<std::uint32_t>(small.size()));
  const std::uint32_t too_large = add(data, kBlockSize + 1), last = add(data, kBlockSize);
  samples::overwrite(path, segment);
  auto file = open_file(path, O_RDONLY);
  REQUIRE(file);

  const Bytes around = block(3, false, 100);
  Bytes records(around.size() + 2 * kBlockSize);
  const auto join_with = [&](std::vector<BlockReference> references, std::uint64_t end) {
    Bytes content;
    for (const BlockReference& reference : references) put(content, reference);
    content.insert(content.end(), around.begin(), around.end());
    return join(content, static_cast<std::uint32_t>(references.size()), file->get(), end, records);
  };
  const std::uint64_t end = segment.size();
  const auto good = join_with({{plain, 10}, {compressed, 10 + kBlockSize}}, end);
  REQUIRE_MESSAGE(good, good.error().text);
  Bytes wanted(around.begin(), around.begin() + 10);
  wanted.insert(wanted.end(), data.begin(), data.end());
  wanted.insert(wanted.end(), packed.begin(), packed.end());
  wanted.insert(wanted.end(), around.begin() + 10, around.end());
  CHECK(records == wanted);
  CHECK(join_with({{last, 0}, {last, 100 + kBlockSize}}, end));

  const auto refused = [&](std::vector<BlockReference> references, std::uint64_t until, const char* why) {
    const auto got = join_with(std::move(references), until);
    REQUIRE_FALSE(got);
    CHECK(got.error().kind == ErrorKind::BadTrace);
    CHECK_MESSAGE(got.error().text.find(why) != std::string::npos, got.error().text);
  };
  const char* const nonsense = "make no sense";
  refused({{plain, 10}}, end, nonsense);  // too few
  refused({{plain, 10}, {plain, 10 + kBlockSize}, {plain, 10 + 2 * kBlockSize}}, end, nonsense);
  refused({{plain, 10}, {plain, 9 + kBlockSize}}, end, nonsense);  // they overlap
  refused({{plain, 10 + kBlockSize}, {plain, 10}}, end, nonsense);
  refused({{plain, 10}, {plain, 101 + kBlockSize}}, end, nonsense);
  refused({{plain, 10}, {plain, 0xfffffff0}}, end, nonsense);
  const std::uint32_t second = 10 + kBlockSize;
  refused({{plain, 10}, {last, second}}, last, "no block can be there yet");
  refused({{plain, 10}, {0xffffffff, second}}, end, "no block can be there yet");
  refused({{plain, 10}, {last, second}}, end - 1, "there is no block");
  refused({{plain, 10}, {last, second}}, last + 8, "cut off");
  refused({{plain, 10}, {0, second}}, end, "there is no block");
  refused({{plain, 10}, {too_large, second}}, end, "there is no block");
  refused({{plain, 10}, {wrong_size, second}}, end, "damaged");
  refused({{plain, 10}, {too_small, second}}, end, "cannot be decompressed");
  segment[plain + 100] ^= 1;
  samples::overwrite(path, segment);
  file = open_file(path, O_RDONLY);
  REQUIRE(file);
  refused({{plain, 10}, {last, second}}, end, "damaged");
}
