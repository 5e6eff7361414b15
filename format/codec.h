// Events and snapshots as bytes. The record of a system call has a fixed layout (format/syscall_record.h); everything
// else is encoded by cereal, which stays inside codec.cc.
//
// Decoding treats its input as hostile: every length is compared with the bytes that are there before anything is
// allocated, every enumerator and flag is range-checked, and unknown or left-over bytes are errors. Memory allocated
// stays within a small multiple of the input's size.
#pragma once

#include <cstdint>
#include <span>

#include "format/event.h"
#include "format/result.h"
#include "format/snapshot.h"

namespace tmrec {

// Largest record in bytes. A larger event cannot be recorded.
inline constexpr std::size_t kMaxRecord = std::size_t{1} << 30;

// Appends one record to `out`. False, with `out` unchanged: the event needs more than `limit` bytes.
[[nodiscard]] bool encode(const Event& event, Bytes& out, std::size_t limit = kMaxRecord);

// Size in bytes of the record that `bytes` begins with. BadTrace when the rest of it is not there.
Result<std::size_t> record_size(std::span<const std::uint8_t> bytes);

// `record` is exactly one record, its size field included. Errors are BadTrace and name the event.
Result<Event> decode(std::span<const std::uint8_t> record);

// All of a snapshot but its `pages`: the note that tmrec adds to a core file (format/core_file.h).
Bytes encode_snapshot_note(const Snapshot& snapshot);
Result<Snapshot> decode_snapshot_note(std::span<const std::uint8_t> bytes);

}  // namespace tmrec
