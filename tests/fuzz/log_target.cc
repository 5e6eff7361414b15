#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "format/blocks.h"
#include "format/log.h"
#include "tests/fuzz/target.h"
#include "tests/unit/format/samples.h"

namespace tmrec::fuzz {

namespace {

// Makes those of the blocks right that a chunk adds.
void repair_blocks(std::span<std::uint8_t> payload) {
  BlockArea area;
  if (payload.size() < sizeof area) return;
  std::memcpy(&area, payload.data(), sizeof area);
  payload = payload.subspan(sizeof area);
  payload = payload.first(std::min<std::uint64_t>(area.size, payload.size()));
  for (StoredBlock block; payload.size() >= sizeof block; payload = payload.subspan(sizeof block + block.size)) {
    std::memcpy(&block, payload.data(), sizeof block);
    if (block.size > payload.size() - sizeof block) return;
    block.hash = XXH3_64bits(payload.data() + sizeof block, block.size);
    std::memcpy(payload.data(), &block, sizeof block);
  }
}

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
    if (header.compressed_size <= left) {
      const std::span payload(segment.data() + at + sizeof header, header.compressed_size);
      if (header.references != 0) repair_blocks(payload);
      header.payload_hash = XXH3_64bits(payload.data(), payload.size());
    }
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

// A log of one segment, which `append` has filled.
template <class Append>
Bytes seed(Append&& append) {
  const samples::TemporaryDirectory dir;
  auto log = LogWriter::create(dir.path());
  require(log.has_value(), "a log can be created");
  append(**log);
  require((*log)->finish().has_value(), "a log can be finished");
  return samples::contents(log_segment_path(dir.path(), 1));
}

// Reads blocks that are alike, half of which can be compressed.
Event reading(std::uint8_t which) {
  SyscallEvent call;
  Bytes bytes(kBlockSize + 3 * which);
  std::uint64_t state = which;
  for (std::uint8_t& byte : bytes) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    byte = static_cast<std::uint8_t>(which % 2 == 0 ? state >> 56 : state >> 63);
  }
  call.extents.push_back({RemoteAddr(0x1000), std::move(bytes), false});
  Event event;
  event.body = std::move(call);
  return event;
}

std::vector<Bytes> seeds() {
  const auto wait = [] { std::this_thread::sleep_for(std::chrono::milliseconds(400)); };  // until a chunk is written
  return {seed([&](LogWriter& log) {
            for (Event event : samples::events()) log.append(std::move(event));
            const Bytes records = samples::call_records();
            log.append(samples::calls(records));
            wait();
            for (Event event : samples::events()) log.append(std::move(event));
          }),
          seed([&](LogWriter& log) {
            for (int round = 0; round < 3; ++round) {
              for (std::uint8_t which = 0; which < 3; ++which) log.append(reading(which));
              wait();
            }
          })};
}

}  // namespace

const Target log_target{"log", run, seeds};

}  // namespace tmrec::fuzz
