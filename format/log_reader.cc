// Reading the log of a trace that may have been cut by a kill, damaged by a disk, or forged.
//
// The writer appends, so a kill leaves the last segment with a cut chunk at its end, and a power failure possibly with
// zeros there. Only that counts as a torn tail; anything else that does not fit is an error. The header has a hash of
// its own: otherwise one flipped bit in a chunk's size would look like a cut.
#include <fcntl.h>
#include <fmt/format.h>
#include <zstd.h>

#include <algorithm>
#include <charconv>

#include "format/blocks.h"
#include "format/codec.h"
#include "format/log.h"
#include "format/xxh3.h"

namespace tmrec {

namespace fs = std::filesystem;

namespace {

// A zstd block decodes to at most 128 KiB and takes at least 4 bytes (RFC 8878, 3.1.1.2).
constexpr std::uint64_t max_content(std::uint64_t compressed) {
  return (compressed / 4 + 1) * (std::uint64_t{128} << 10);
}

struct Segments {
  std::uint64_t first = 0, last = 0;
};

// The numbers of those in the directory; all between must exist.
Result<Segments> find_segments(const fs::path& trace_dir) {
  const fs::path directory = trace_dir / "log";
  std::error_code ec;
  std::uint64_t lowest = ~std::uint64_t{0}, highest = 0, found = 0;
  for (fs::directory_iterator it(directory, ec), end; !ec && it != end; it.increment(ec)) {
    const std::string name = it->path().filename().string();
    std::uint64_t number = 0;
    const auto [rest, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (error != std::errc() || rest != name.data() + name.size() ||
        log_segment_path(trace_dir, number).filename() != name)
      return fail(ErrorKind::BadTrace, it->path().string() + ": not a segment of a log");
    highest = std::max(highest, number);
    lowest = std::min(lowest, number);
    ++found;
  }
  if (ec) return fail_errno(directory.string(), ec.value(), ErrorKind::BadTrace);
  if (found == 0) return Segments{1, 0};
  if (lowest == 0 || found != highest - lowest + 1)
    return fail(ErrorKind::BadTrace, directory.string() + ": a segment of the log is missing");
  return Segments{lowest, highest};
}

}  // namespace

Result<LogReader> LogReader::open(const fs::path& trace_dir) {
  LogReader reader;
  reader.trace_ = trace_dir;
  TMREC_TRY(const Segments segments, find_segments(trace_dir));
  reader.first_segment_ = segments.first;
  reader.last_segment_ = segments.last;
  reader.segment_ = segments.first - 1;
  return reader;
}

Result<LogReader> LogReader::copy() const {
  LogReader other;
  other.trace_ = trace_;
  other.segment_ = segment_;
  other.first_segment_ = first_segment_;
  other.last_segment_ = last_segment_;
  other.begins_ = begins_;
  if (file_) {
    other.file_.reset(::fcntl(file_.get(), F_DUPFD_CLOEXEC, 0));
    if (!other.file_) return fail_errno(where());
  }
  other.file_size_ = file_size_;
  other.offset_ = offset_;
  other.sequence_ = sequence_;
  other.events_left_ = events_left_;
  other.raw_ = raw_;
  other.raw_size_ = raw_size_;
  other.cursor_ = cursor_;
  other.calls_ = calls_;
  other.last_ = last_;
  other.torn_ = torn_;
  other.ended_ = ended_;
  other.failure_ = failure_;
  return other;
}

std::string LogReader::where() const {
  return fmt::format("{}: offset {}, after event {}", log_segment_path(trace_, segment_).string(), offset_,
                     last_.value);
}

// False: there is none.
Result<bool> LogReader::open_segment() {
  if (segment_ == last_segment_) return false;
  ++segment_;
  offset_ = 0;
  const fs::path path = log_segment_path(trace_, segment_);
  TMREC_TRY(file_, open_file(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, ErrorKind::BadTrace));
  struct stat st {};
  if (::fstat(file_.get(), &st) != 0) return fail_errno(path.string(), errno, ErrorKind::BadTrace);
  if (!S_ISREG(st.st_mode)) return fail(ErrorKind::BadTrace, path.string() + ": not a regular file");
  file_size_ = static_cast<std::uint64_t>(st.st_size);
  return true;
}

// A file system may have extended the file before a power failure, but not yet written it: from the last page of the
// file, or from the chunk if it begins there, all is zero.
bool LogReader::is_unwritten_tail() const {
  const std::uint64_t from = std::max(offset_, page_down(file_size_ - 1));
  Bytes tail(file_size_ - from);
  const auto n = read_at(file_.get(), from, tail);
  return n == static_cast<std::int64_t>(tail.size()) &&
         std::ranges::all_of(tail, [](std::uint8_t b) { return b == 0; });
}

Result<void> LogReader::check_header(const ChunkHeader& header, std::uint64_t available) const {
  const auto bad = [&](std::string_view what) {
    return fail(ErrorKind::BadTrace, fmt::format("{}: {}", where(), what));
  };
  if (header.magic != ChunkHeader::kMagic) return bad("not a chunk of a log");
  if (header.version > kLogVersion)
    return bad(fmt::format("a log of the newer version {}; this tmrec reads up to {}", header.version, kLogVersion));
  if (header.header_hash != XXH3_64bits(&header, offsetof(ChunkHeader, header_hash)))
    return bad("a chunk's header is damaged");
  if (header.version < kOldestLogVersion) return bad("a log of an unknown version");
  const bool continues = !begins_ || first_segment_ == 1;
  if (header.sequence == 0 || header.first_event == 0) return bad("a chunk's header makes no sense");
  if (continues && header.sequence != sequence_ + 1)
    return bad(fmt::format("chunk {} where {} belongs", header.sequence, sequence_ + 1));
  if (continues && header.first_event != last_.value + 1)
    return bad(fmt::format("a chunk begins with event {}", header.first_event));
  if (header.events == 0 || header.raw_size == 0 || (header.version < 5 && header.references != 0))
    return bad("a chunk's header makes no sense");
  // A chunk ends with the record that fills it, so it is at most one record and the usual size.
  const std::uint64_t referred_to = std::uint64_t{header.references} * kBlockSize;
  if (header.raw_size > kMaxRecord + (std::size_t{1} << 20) || referred_to > header.raw_size ||
      header.raw_size - referred_to > max_content(header.compressed_size))
    return bad(fmt::format("a chunk of impossible size {}", header.raw_size));
  if (segment_ != last_segment_ && header.compressed_size > available) return bad("a chunk is cut off");
  return {};
}

namespace {

// The content of a frame that must have this size.
Result<std::shared_ptr<std::uint8_t[]>> content_of(std::span<const std::uint8_t> frame, std::uint64_t wanted) {
  if (ZSTD_getFrameContentSize(frame.data(), frame.size()) != wanted)
    return fail(ErrorKind::BadTrace, "a chunk's size is not what its header says");
  std::shared_ptr<std::uint8_t[]> content(new std::uint8_t[wanted]);
  const std::size_t size = ZSTD_decompress(content.get(), wanted, frame.data(), frame.size());
  if (ZSTD_isError(size) != 0 || size != wanted) return fail(ErrorKind::BadTrace, "a chunk cannot be decompressed");
  return content;
}

}  // namespace

// Errors are without a place.
Result<std::shared_ptr<std::uint8_t[]>> LogReader::records_of(const ChunkHeader& header,
                                                              std::span<const std::uint8_t> payload) const {
  if (header.references == 0) return content_of(payload, header.raw_size);
  BlockArea blocks;
  if (payload.size() < sizeof blocks) return fail(ErrorKind::BadTrace, "a chunk's blocks are missing");
  std::memcpy(&blocks, payload.data(), sizeof blocks);
  const std::span rest = payload.subspan(sizeof blocks);
  if (blocks.size > rest.size()) return fail(ErrorKind::BadTrace, "a chunk's blocks are cut off");
  const std::uint64_t size = header.raw_size - std::uint64_t{header.references} * (kBlockSize - sizeof(BlockReference));
  TMREC_TRY(const auto content, content_of(rest.subspan(blocks.size), size));
  std::shared_ptr<std::uint8_t[]> raw(new std::uint8_t[header.raw_size]);
  TMREC_CHECKED(join({content.get(), size}, header.references, file_.get(),
                     offset_ + sizeof header + sizeof blocks + blocks.size, {raw.get(), header.raw_size}));
  return raw;
}

// Reads the payload at offset_ + header, already known to be in the file.
Result<void> LogReader::decompress(const ChunkHeader& header) {
  const auto bad = [&](std::string_view what) {
    return fail(ErrorKind::BadTrace, fmt::format("{}: {}", where(), what));
  };
  try {
    const auto compressed = std::make_unique_for_overwrite<std::uint8_t[]>(header.compressed_size);
    const auto n = read_at(file_.get(), offset_ + sizeof header, {compressed.get(), header.compressed_size});
    if (n < 0) return fail_errno(where(), errno, ErrorKind::BadTrace);
    if (static_cast<std::uint64_t>(n) != header.compressed_size) return bad("the file got shorter while it was read");
    if (XXH3_64bits(compressed.get(), header.compressed_size) != header.payload_hash) return bad("a chunk is damaged");
    raw_.reset();
    auto raw = records_of(header, {compressed.get(), header.compressed_size});
    if (!raw) return bad(raw.error().text);
    raw_ = std::move(*raw);
  } catch (const std::bad_alloc&) {
    return fail(ErrorKind::System, fmt::format("{}: no memory for a chunk of {} bytes", where(), header.raw_size));
  }
  raw_size_ = header.raw_size;
  cursor_ = 0;
  return {};
}

// False: the log ends here.
Result<bool> LogReader::load_chunk() {
  while (!file_ || offset_ == file_size_) {
    TMREC_TRY(const bool more, open_segment());
    if (!more) return false;
  }
  const bool last = segment_ == last_segment_;
  const std::uint64_t left = file_size_ - offset_;
  const auto cut = [&](std::string_view what) {
    torn_ = fmt::format("{}: {} ({} bytes lost)", where(), what, left);
    return false;
  };
  ChunkHeader header;
  const auto n =
      read_at(file_.get(), offset_, {reinterpret_cast<std::uint8_t*>(&header), std::min(left, sizeof header)});
  if (n < 0) return fail_errno(where(), errno, ErrorKind::BadTrace);
  if (static_cast<std::size_t>(n) < sizeof header) {
    if (last) return cut("the last chunk's header is cut off");
    return fail(ErrorKind::BadTrace, where() + ": a chunk's header is cut off");
  }
  const std::uint64_t available = left - sizeof header;
  if (auto ok = check_header(header, available); !ok) {
    if (last && is_unwritten_tail()) return cut("the last chunk was never written");
    return std::unexpected(std::move(ok).error());
  }
  if (header.compressed_size > available) return cut("the last chunk is cut off");
  if (auto ok = decompress(header); !ok) {
    if (last && is_unwritten_tail()) return cut("the last chunk was not written fully");
    return std::unexpected(std::move(ok).error());
  }
  offset_ += sizeof header + header.compressed_size;
  if (begins_) last_ = EventNo(header.first_event - 1);
  sequence_ = header.sequence;
  events_left_ = header.events;
  return true;
}

// The next event of this chunk.
Result<Event> LogReader::decode_record() {
  if (!calls_) {
    const std::span<const std::uint8_t> rest(raw_.get() + cursor_, raw_size_ - cursor_);
    TMREC_TRY(const std::size_t size, record_size(rest));
    cursor_ += size;
    if (!is_call_batch(rest.first(size))) return decode(rest.first(size));
    TMREC_TRY(calls_, CallBatchReader::open(rest.first(size)));
  }
  auto event = calls_->next();
  if (event && calls_->done()) calls_.reset();
  return event;
}

Result<std::optional<Event>> LogReader::decode_next() {
  while (events_left_ == 0) {
    if (cursor_ != raw_size_ || calls_)
      return fail(ErrorKind::BadTrace, where() + ": a chunk holds more than its events");
    TMREC_TRY(const bool more, load_chunk());
    if (!more) {
      ended_ = true;
      raw_.reset();
      raw_size_ = cursor_ = 0;
      return std::nullopt;
    }
  }
  auto event = decode_record();
  if (!event) return fail(event.error().kind, fmt::format("{}: {}", where(), event.error().text));
  if (event->no.value != last_.value + 1)
    return fail(ErrorKind::BadTrace,
                fmt::format("{}: event {} where {} belongs", where(), event->no.value, last_.value + 1));
  if (begins_ && first_segment_ != 1 && !std::holds_alternative<StartEvent>(event->body))
    return fail(ErrorKind::BadTrace, where() + ": the beginning of the log is missing");
  begins_ = false;
  --events_left_;
  last_ = event->no;
  return std::optional<Event>(std::move(*event));
}

Result<std::optional<Event>> LogReader::next() {
  if (failure_) return std::unexpected(*failure_);
  if (ended_) return std::nullopt;
  auto event = decode_next();
  if (!event) failure_ = event.error();
  return event;
}

}  // namespace tmrec
