// Writing the log beside the tracee, not in its way.
//
// Problem: an event must be safe soon after it happened (the supervisor may be killed at any moment), but whoever
// appends holds up the recorded program, and compression and a slow disk take milliseconds. Solution: append() encodes
// into an open chunk under a mutex that is almost never contended. A thread takes the chunk when it is 1 MiB large or
// 200 ms old, compresses and writes it. Between them is a queue of bounded size. Rejected: a lock-free ring (the
// supervisor would poll or signal just the same; an uncontended mutex costs 20 ns where the event cost 10 us), io_uring
// (refused in many containers), O_DIRECT or fsync per chunk (they protect against a power failure only, which finish()
// and the hashes deal with).
#include <fcntl.h>
#include <fmt/format.h>
#include <pthread.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <deque>
#include <mutex>
#include <thread>

#include "format/blocks.h"
#include "format/calls.h"
#include "format/codec.h"
#include "format/log.h"
#include "format/xxh3.h"

namespace tmrec {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

namespace {

constexpr std::size_t kChunkSize = std::size_t{1} << 20;
// A chunk may end with a record of nearly its size, and a buffer grows by doubling.
constexpr std::size_t kLargestSpare = 4 * kChunkSize;
constexpr std::uint64_t kSegmentSize = std::uint64_t{64} << 20;
constexpr std::size_t kQueueSize = std::size_t{16} << 20;
constexpr auto kChunkAge = std::chrono::milliseconds(200);

// What a disk of 64 MiB/s needs for a queue of `bytes`: one chunk can hold a read of hundreds of megabytes.
constexpr std::chrono::milliseconds time_to_write(std::size_t bytes) {
  return std::chrono::milliseconds(bytes / ((std::size_t{64} << 20) / 1000));
}

// zstd's level for a chunk, with so many bytes waiting behind it: the program must not wait for compression, which a
// disk can nearly always do without. Levels below 0 search less (zstd.h, ZSTD_minCLevel).
constexpr int compression_level(std::size_t waiting) {
  return waiting < kQueueSize / 4 ? 1 : waiting < kQueueSize / 2 ? -5 : -50;
}

struct Chunk {
  Bytes records = {};
  std::uint64_t first_event = 0;
  std::uint32_t events = 0;  // 0: no chunk, but where a segment begins
  std::function<void(const LogPlace&)> then = {};
};

struct FreeContext {
  void operator()(ZSTD_CCtx* c) const { ZSTD_freeCCtx(c); }
};

}  // namespace

fs::path log_segment_path(const fs::path& trace_dir, std::uint64_t segment) {
  return trace_dir / "log" / fmt::format("{:06}", segment);
}

// Compresses chunks and writes them to segments. Used by the writing thread alone.
class SegmentWriter {
 public:
  explicit SegmentWriter(fs::path trace) : trace_(std::move(trace)), context_(ZSTD_createCCtx()) {}

  Result<void> start() { return next_segment(); }
  Result<void> start_at(const LogPlace& place) {
    segment_ = place.segment - 1;
    sequence_ = place.sequence - 1;
    return next_segment();
  }

  // What is written next begins one, at the event of this number.
  Result<LogPlace> begin_segment(EventNo event) {
    if (written_ != 0) TMREC_CHECKED(next_segment());
    return LogPlace{segment_, sequence_ + 1, event};
  }

  std::atomic<std::uint64_t> first_kept = 1;  // segment
  std::atomic<std::uint64_t> total = 0;       // bytes

  // `waiting`: bytes of further chunks.
  Result<void> write(const Chunk& chunk, std::size_t waiting) {
    if (context_ == nullptr) return fail_errno("zstd", ENOMEM);
    // Where a chunk goes is part of it.
    if (written_ != 0 && written_ + largest(chunk.records.size()) > kSegmentSize) TMREC_CHECKED(next_segment());
    const int level = compression_level(waiting);
    TMREC_TRY(const KnownBlocks::Parted parted,
              known_.part(chunk.records, written_ + sizeof(ChunkHeader) + sizeof(BlockArea), level));
    Bytes& out = buffer_;
    const std::size_t before = parted.references == 0 ? 0 : sizeof(BlockArea) + parted.blocks.size();
    out.resize(sizeof(ChunkHeader) + before + ZSTD_compressBound(parted.content.size()));
    if (parted.references != 0) {
      const BlockArea area{parted.blocks.size()};
      std::memcpy(out.data() + sizeof(ChunkHeader), &area, sizeof area);
      std::ranges::copy(parted.blocks, out.data() + sizeof(ChunkHeader) + sizeof area);
    }
    const std::span frame = std::span(out).subspan(sizeof(ChunkHeader) + before);
    const std::size_t packed = ZSTD_compressCCtx(context_.get(), frame.data(), frame.size(), parted.content.data(),
                                                 parted.content.size(), level);
    if (ZSTD_isError(packed) != 0) return fail(ErrorKind::System, fmt::format("zstd: {}", ZSTD_getErrorName(packed)));
    const std::size_t size = before + packed;
    out.resize(sizeof(ChunkHeader) + size);

    ChunkHeader header;
    header.sequence = ++sequence_;
    header.first_event = chunk.first_event;
    header.events = chunk.events;
    header.references = parted.references;
    header.raw_size = chunk.records.size();
    header.compressed_size = size;
    header.payload_hash = XXH3_64bits(out.data() + sizeof header, size);
    header.header_hash = XXH3_64bits(&header, offsetof(ChunkHeader, header_hash));
    std::memcpy(out.data(), &header, sizeof header);

    if (const int err = write_all(file_.get(), out)) {
      // Half a chunk is of no use to anyone, and a full disk wants the space.
      if (::ftruncate(file_.get(), static_cast<off_t>(written_)) != 0) return fail_errno(path().string(), errno);
      return fail_errno(path().string(), err);
    }
    written_ += out.size();
    total.fetch_add(out.size(), std::memory_order_relaxed);
    if (out.capacity() > kLargestSpare) out = Bytes();
    return {};
  }

  Result<void> sync() {
    for (std::uint64_t i = first_kept; i <= segment_; ++i) {
      const fs::path segment = log_segment_path(trace_, i);
      TMREC_TRY(Fd file, open_file(segment, O_RDONLY));
      if (::fsync(file.get()) != 0) return fail_errno(segment.string());
    }
    TMREC_TRY(Fd directory, open_file(trace_ / "log", O_RDONLY | O_DIRECTORY));
    if (::fsync(directory.get()) != 0) return fail_errno((trace_ / "log").string());
    return {};
  }

 private:
  // Bytes that a chunk of so many takes. Each reference stands for more than it takes.
  static std::size_t largest(std::size_t records) {
    return sizeof(ChunkHeader) + sizeof(BlockArea) + ZSTD_compressBound(records) + records / 16;
  }
  fs::path path() const { return log_segment_path(trace_, segment_); }

  Result<void> next_segment() {
    // Starts writing back without waiting for it (sync_file_range(2)), so that the final fsync is short. Waiting here
    // could hold up the program for seconds.
    if (file_) ::sync_file_range(file_.get(), 0, 0, SYNC_FILE_RANGE_WRITE);
    ++segment_;
    TMREC_TRY(file_, open_file(path(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW));
    written_ = 0;
    known_.begin_segment();
    return {};
  }

  fs::path trace_;
  std::unique_ptr<ZSTD_CCtx, FreeContext> context_;
  KnownBlocks known_;
  Bytes buffer_;
  Fd file_;
  std::uint64_t segment_ = 0;
  std::uint64_t written_ = 0;  // bytes in this segment
  std::uint64_t sequence_ = 0;
};

struct LogWriter::Impl {
  Impl(const fs::path& trace, std::chrono::nanoseconds longest_stall) : stall(longest_stall), segments(trace) {}

  // Whether the open chunk must be handed over now.
  bool due(Clock::time_point now) const {
    return open.events != 0 && (closing || open.records.size() >= kChunkSize || now - opened >= kChunkAge);
  }

  void fail_with(Error e) {
    if (!failed.load(std::memory_order_relaxed)) failure = std::move(e);
    failed.store(true, std::memory_order_release);
    open = {};
    queue.clear();
    queued = 0;
    room.notify_all();
    work.notify_all();
  }

  void hand_over() {
    queued += open.records.size();
    queue.push_back(std::move(open));
    open = {};
    if (!spare.empty()) {
      open.records = std::move(spare.back());
      spare.pop_back();
    }
  }

  void run();
  Result<void> begin_segment(const Chunk& where);
  bool take_chunk(std::unique_lock<std::mutex>& lock, Chunk& chunk);
  template <class Encode>
  EventNo append(std::uint32_t events, Encode&& encode);
  template <class Encode>
  EventNo try_append(std::uint32_t events, Encode&& encode) noexcept;

  std::mutex mutex;
  std::condition_variable work;  // the thread waits: something to do
  std::condition_variable room;  // append() waits: the queue got shorter
  Chunk open;
  Clock::time_point opened;  // when the open chunk got its first event
  std::deque<Chunk> queue;
  std::size_t queued = 0;    // bytes in `queue` and in the thread's hands
  std::vector<Bytes> spare;  // buffers to use again: a fresh page costs more than an event
  std::uint64_t next = 1;
  bool closing = false;
  const std::chrono::nanoseconds stall;
  Error failure;
  std::atomic<bool> failed = false;
  std::atomic<std::uint64_t> last = 0;

  SegmentWriter segments;  // the thread's
  std::thread thread;
};

// Waits for a chunk. False: closing, and nothing is left.
bool LogWriter::Impl::take_chunk(std::unique_lock<std::mutex>& lock, Chunk& chunk) {
  while (true) {
    if (failed) return false;
    if (queue.empty() && due(Clock::now())) hand_over();
    if (!queue.empty()) {
      chunk = std::move(queue.front());
      queue.pop_front();
      return true;
    }
    if (closing) return false;
    if (open.events == 0) {
      work.wait(lock);
    } else {
      work.wait_until(lock, opened + kChunkAge);
    }
  }
}

Result<void> LogWriter::Impl::begin_segment(const Chunk& where) {
  TMREC_TRY(const LogPlace place, segments.begin_segment(EventNo(where.first_event)));
  where.then(place);
  return {};
}

void LogWriter::Impl::run() {
  std::unique_lock lock(mutex);
  Chunk chunk;
  while (take_chunk(lock, chunk)) {
    const std::size_t waiting = queued - chunk.records.size();
    lock.unlock();
    Result<void> written;
    try {
      written = chunk.events == 0 ? begin_segment(chunk) : segments.write(chunk, waiting);
    } catch (const std::exception& e) {
      written = fail(ErrorKind::System, fmt::format("writing the log: {}", e.what()));
    }
    lock.lock();
    if (failed) return;
    if (!written) {
      fail_with(std::move(written).error());
      return;
    }
    queued -= chunk.records.size();
    if (chunk.records.capacity() <= kLargestSpare && spare.size() < 4) {
      chunk.records.clear();
      spare.push_back(std::move(chunk.records));
    }
    chunk = {};
    room.notify_one();
  }
}

// `encode(first, out)`: appends a record of the events from that number on; false: too large. The last one's number.
template <class Encode>
EventNo LogWriter::Impl::append(std::uint32_t events, Encode&& encode) {
  std::unique_lock lock(mutex);
  if (closing) return {};
  if (queued > kQueueSize) {
    const auto patience = stall + time_to_write(queued);
    const bool shorter = room.wait_for(lock, patience, [&] { return failed || queued <= kQueueSize; });
    if (!shorter) {
      fail_with({ErrorKind::System,
                 fmt::format("the log cannot be written as fast as the program runs: disk too slow, it has held the "
                             "program up for {:.3g} s (--stall)",
                             std::chrono::duration<double>(patience).count())});
    }
  }
  if (failed) return {};
  if (!encode(EventNo(next), open.records)) {
    fail_with({ErrorKind::System, fmt::format("event {} is larger than {} bytes", next, kMaxRecord)});
    return {};
  }
  if (open.events == 0) {
    open.first_event = next;
    opened = Clock::now();
    work.notify_one();  // so that the thread knows when to come back
  }
  open.events += events;
  if (open.records.size() >= kChunkSize) {
    hand_over();
    work.notify_one();
  }
  next += events;
  last.store(next - 1, std::memory_order_relaxed);
  return EventNo(next - 1);
}

LogWriter::LogWriter(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<LogWriter>> LogWriter::create(const fs::path& trace_dir, std::chrono::nanoseconds stall,
                                                     std::optional<cpu_set_t> affinity) {
  const fs::path directory = trace_dir / "log";
  if (::mkdir(directory.c_str(), 0700) != 0) return fail_errno(directory.string());
  auto impl = std::make_unique<Impl>(trace_dir, stall);
  TMREC_CHECKED(impl->segments.start());
  if (!affinity) {
    cpu_set_t now;
    if (::sched_getaffinity(0, sizeof now, &now) == 0) affinity = now;
  }
  // The thread inherits the mask, so that no signal meant for the supervisor ever arrives there, SIGXFSZ included.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    impl->thread = std::thread([state = impl.get(), affinity] {
      ::pthread_setname_np(::pthread_self(), "tmrec-log");
      if (affinity) ::sched_setaffinity(0, sizeof(cpu_set_t), &*affinity);  // refused: slower, not wrong
      state->run();
    });
  } catch (const std::system_error& e) {
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return fail_errno("starting the log's thread", e.code().value());
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return std::unique_ptr<LogWriter>(new LogWriter(std::move(impl)));
}

LogWriter::~LogWriter() {
  if (!impl_->thread.joinable()) return;
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->closing = true;
    impl_->work.notify_all();
  }
  impl_->thread.join();
}

template <class Encode>
EventNo LogWriter::Impl::try_append(std::uint32_t events, Encode&& encode) noexcept {
  if (failed.load(std::memory_order_acquire)) return {};
  try {
    return append(events, encode);
  } catch (const std::exception& e) {
    const std::lock_guard lock(mutex);
    fail_with({ErrorKind::System, fmt::format("recording event {}: {}", next, e.what())});
    return {};
  }
}

EventNo LogWriter::append(Event event) noexcept {
  return impl_->try_append(1, [&](EventNo no, Bytes& out) {
    event.no = no;
    return encode(event, out);
  });
}

EventNo LogWriter::append(CallBatch calls) noexcept {
  return impl_->try_append(calls.count, [&](EventNo no, Bytes& out) {
    calls.first = no;
    return encode(calls, out);
  });
}

void LogWriter::begin_segment(std::function<void(const LogPlace&)> then) noexcept {
  const std::lock_guard lock(impl_->mutex);
  if (impl_->failed || impl_->closing) return;
  if (impl_->open.events != 0) impl_->hand_over();
  impl_->queue.push_back(Chunk{.first_event = impl_->next, .then = std::move(then)});
  impl_->work.notify_one();
}

void LogWriter::forget_before(std::uint64_t segment) noexcept { impl_->segments.first_kept = segment; }

std::uint64_t LogWriter::written() const noexcept { return impl_->segments.total.load(std::memory_order_relaxed); }

EventNo LogWriter::last() const noexcept { return EventNo(impl_->last.load(std::memory_order_relaxed)); }

bool LogWriter::failed() const noexcept { return impl_->failed.load(std::memory_order_acquire); }

Error LogWriter::error() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->failure;
}

Result<void> LogWriter::finish() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->closing = true;
    impl_->work.notify_all();
  }
  if (impl_->thread.joinable()) impl_->thread.join();
  if (failed()) return std::unexpected(error());
  return impl_->segments.sync();
}

Result<void> write_log_end(const fs::path& trace_dir, const LogPlace& place, Event end) {
  Chunk chunk{.first_event = place.event.value, .events = 1};
  end.no = place.event;
  if (!encode(end, chunk.records)) return fail(ErrorKind::System, "the last event is too large");
  SegmentWriter segments(trace_dir);
  TMREC_CHECKED(segments.start_at(place));
  return segments.write(chunk, 0);
}

}  // namespace tmrec
