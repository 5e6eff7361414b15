#include <chrono>
#include <cstring>
#include <thread>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "format/log.h"
#include "tests/fuzz/target.h"
#include "tests/unit/format/samples.h"

namespace tmrec::fuzz {

namespace {

// Makes the hashes right, so that what lies behind them is reached: a forger would do the same.
void repair(Bytes& segment) {
  std::uint64_t sequence = 0;
  for (std::size_t at = 0; segment.size() - at >= sizeof(ChunkHeader);) {
    ChunkHeader header;
    std::memcpy(&header, segment.data() + at, sizeof header);
    header.magic = ChunkHeader::kMagic;
    header.version = kLogVersion;
    header.sequence = ++sequence;
    const std::size_t left = segment.size() - at - sizeof header;
    if (header.compressed_size <= left)
      header.payload_hash = XXH3_64bits(segment.data() + at + sizeof header, header.compressed_size);
    header.header_hash = XXH3_64bits(&header, offsetof(ChunkHeader, header_hash));
    std::memcpy(segment.data() + at, &header, sizeof header);
    if (header.compressed_size > left) return;
    at += sizeof header + header.compressed_size;
  }
}

void read_log(const Bytes& segment) {
  static const samples::TemporaryDirectory dir;
  static const bool made = std::filesystem::create_directory(dir.path() / "log");
  require(made, "the log's directory can be made");
  samples::overwrite(log_segment_path(dir.path(), 1), segment);
  auto reader = LogReader::open(dir.path());
  require(reader.has_value(), "a log of one segment can be opened");
  for (std::uint64_t n = 1;; ++n) {
    const auto event = reader->next();
    if (!event) {
      require(event.error().text.find("log/000001") != std::string::npos, "errors name the file");
      return;
    }
    if (!*event) return;
    require((*event)->no.value == n, "events are numbered from one");
  }
}

void run(std::span<const std::uint8_t> input) {
  Bytes segment(input.begin(), input.end());
  read_log(segment);
  repair(segment);
  read_log(segment);
}

std::vector<Bytes> seeds() {
  const samples::TemporaryDirectory dir;
  {
    auto log = LogWriter::create(dir.path());
    require(log.has_value(), "a log can be created");
    for (Event event : samples::events()) (*log)->append(std::move(event));
    const Bytes records = samples::call_records();
    (*log)->append(samples::calls(records));
    std::this_thread::sleep_for(std::chrono::milliseconds(400));  // until the first chunk is old enough to be written
    for (Event event : samples::events()) (*log)->append(std::move(event));
    require((*log)->finish().has_value(), "a log can be finished");
  }
  return {samples::contents(log_segment_path(dir.path(), 1))};
}

}  // namespace

const Target log_target{"log", run, seeds};

}  // namespace tmrec::fuzz
