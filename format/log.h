// The log of a trace: an ordered stream of events in `log/000001`, `log/000002`, …
//
// A segment holds at most 64 MiB (one larger chunk may stand alone) and is a sequence of chunks: ChunkHeader, then one
// zstd frame of event records (format/codec.h, format/calls.h). A chunk that refers to blocks (format/blocks.h) has
// instead: BlockArea, the blocks it adds, and a frame of its references and the rest of its records. Chunks are
// numbered through the whole log, so a missing one is noticed. Both the header and what follows it are hashed. Nothing
// refers to another segment. The first segments may have been dropped up to one that begins with a StartEvent; the
// numbers of chunks and events then begin with those it has.
#pragma once

#include <sched.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "format/calls.h"
#include "format/event.h"
#include "format/file_io.h"
#include "format/result.h"

namespace tmrec {

// 3: system calls may come in batches (format/calls.h); 4: StartEvent, with which a log may begin; 5: references to
// blocks; 6: GapEvent.
inline constexpr std::uint32_t kLogVersion = 6, kOldestLogVersion = 2;

struct ChunkHeader {
  static constexpr std::uint32_t kMagic = 0x4b435254;  // "TRCK"

  std::uint32_t magic = kMagic;
  std::uint32_t version = kLogVersion;
  std::uint64_t sequence = 0;         // 1, 2, 3, … through all segments
  std::uint64_t first_event = 0;      // number of the first event in it
  std::uint32_t events = 0;           // how many; at least 1
  std::uint32_t references = 0;       // to blocks
  std::uint64_t raw_size = 0;         // bytes of the records
  std::uint64_t compressed_size = 0;  // bytes that follow this header
  std::uint64_t payload_hash = 0;     // XXH3-64 of them
  std::uint64_t header_hash = 0;      // XXH3-64 of the fields before this one
};
static_assert(sizeof(ChunkHeader) == 64);

struct BlockArea {
  std::uint64_t size = 0;  // bytes of the StoredBlocks that follow
};

// `<log directory>/000001` for 1.
std::filesystem::path log_segment_path(const std::filesystem::path& trace_dir, std::uint64_t segment);

// Where in a log something begins.
struct LogPlace {
  std::uint64_t segment = 0, sequence = 0;  // of the next chunk
  EventNo event;                            // of the next event
};

// A log in `trace_dir`, whose directory is there, ends with this event at `place`, in a segment of its own.
Result<void> write_log_end(const std::filesystem::path& trace_dir, const LogPlace& place, Event end);

// Appends events; a thread of its own compresses and writes them. append() is for one thread at a time; the rest may be
// called from any.
class LogWriter {
 public:
  // Creates `<trace_dir>/log`, which must not exist; `trace_dir` must. The writing thread runs on the CPUs of
  // `affinity` (default: those the calling thread may use now), so create the log before pinning to the tracee's CPU.
  // It blocks all signals.
  static constexpr std::chrono::nanoseconds kStall = std::chrono::seconds(2);
  // `stall`: how long append() waits for a disk that is too slow.
  static Result<std::unique_ptr<LogWriter>> create(const std::filesystem::path& trace_dir,
                                                   std::chrono::nanoseconds stall = kStall,
                                                   std::optional<cpu_set_t> affinity = {});
  // Writes what was appended; without the fsync and the error report of finish().
  ~LogWriter();
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  // Gives the event the next number (1, 2, 3, …) and returns it. What is appended reaches the file within about 200 ms,
  // also when nothing more is appended. Waits while 16 MiB are queued for a slow disk, at most for as long as the
  // stall (longer only for single events of many megabytes), then the log has failed. Once it has failed the event is
  // dropped, cheaply, and 0 is returned. Never throws.
  EventNo append(Event event) noexcept;
  // The same for several system calls of one task. Returns the number of the last.
  EventNo append(CallBatch calls) noexcept;

  // What is appended next begins a segment of its own. `then` is called, by another thread, once all before it is
  // written and the segment is there; never, if the log fails. It must not throw.
  void begin_segment(std::function<void(const LogPlace&)> then) noexcept;
  // Segments before this one have been removed, or will be.
  void forget_before(std::uint64_t segment) noexcept;
  // Bytes in all segments so far.
  std::uint64_t written() const noexcept;

  // Number of the last event appended; 0: none.
  EventNo last() const noexcept;

  // Nothing more will be recorded: the disk is full or too slow, or an event was larger than kMaxRecord.
  bool failed() const noexcept;
  // Why; meaningful when failed().
  Error error() const;

  // Writes everything, fsyncs, ends the thread. Later appends are dropped. The error of the first failure, if any.
  Result<void> finish();

 private:
  struct Impl;
  explicit LogWriter(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Reads a log from its beginning. Holds one chunk in memory. The log is hostile input; errors are BadTrace and name
// file, offset and event.
class LogReader {
 public:
  static Result<LogReader> open(const std::filesystem::path& trace_dir);

  // Another reader at the same place; they share the chunk they are in.
  Result<LogReader> copy() const;

  // The next event; nullopt at the end, again and again. After an error every further call returns that error.
  Result<std::optional<Event>> next();

  // The last chunk was cut short (the supervisor was killed, the machine lost power): it counts as the end. Known once
  // next() returned nullopt.
  bool torn() const { return !torn_.empty(); }
  // What was lost, as one line; empty when not torn.
  const std::string& lost() const { return torn_; }

  // Number of the event that next() returned last; 0: none.
  EventNo last() const { return last_; }

 private:
  LogReader() = default;
  Result<bool> load_chunk();
  Result<bool> open_segment();
  Result<void> check_header(const ChunkHeader& header, std::uint64_t available) const;
  Result<void> decompress(const ChunkHeader& header);
  Result<std::shared_ptr<std::uint8_t[]>> records_of(const ChunkHeader& header,
                                                     std::span<const std::uint8_t> payload) const;
  Result<std::optional<Event>> decode_next();
  Result<Event> decode_record();
  bool is_unwritten_tail() const;
  std::string where() const;

  std::filesystem::path trace_;
  std::uint64_t segment_ = 0;        // now open
  std::uint64_t first_segment_ = 1;  // lowest that exists
  bool begins_ = true;               // no event has been read
  std::uint64_t last_segment_ = 0;   // highest that exists
  Fd file_;
  std::uint64_t file_size_ = 0;
  std::uint64_t offset_ = 0;       // of the next chunk in the segment
  std::uint64_t sequence_ = 0;     // of the last chunk
  std::uint32_t events_left_ = 0;  // in this chunk
  std::shared_ptr<const std::uint8_t[]> raw_;
  std::size_t raw_size_ = 0;
  std::size_t cursor_ = 0;
  std::optional<CallBatchReader> calls_;  // in the middle of a batch
  EventNo last_;
  std::string torn_;
  bool ended_ = false;
  std::optional<Error> failure_;
};

}  // namespace tmrec
