// Many system calls of one task in one record of the log: those that the agent has made in a row, as it wrote them down
// (format/call_record.h). Readers give each as the event that it is.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "format/call_record.h"
#include "format/event.h"
#include "format/result.h"

namespace tmrec {

// RecordHead::kind of such a record, beyond those of EventBody.
inline constexpr std::uint8_t kCallsKind = 128;

// The first record of a sequence. Its bytes are hostile input.
struct CallView {
  CallRecord record;
  std::span<const std::uint8_t> extents;
};
// Takes it off `rest`, and makes `words` those that the call begins with. Errors are BadTrace.
Result<CallView> take_call(std::span<const std::uint8_t>& rest, CallWords& words);

struct CallBatch {
  EventNo first;  // numbers follow one another
  Tid tid;
  std::uint64_t time_ns = 0;       // of all of them
  std::uint64_t counted_from = 0;  // ticks of a call: this, less its ticks_left
  bool has_fs_base = false;        // otherwise that of `frame` holds
  Regs frame;                      // for the registers that are no CallWord
  CallWords before;                // what the first call is a change of
  std::uint32_t count = 0;         // at least 1
  std::span<const std::uint8_t> records;
};

// Appends one record to `out`. False, with `out` unchanged: too large.
[[nodiscard]] bool encode(const CallBatch& batch, Bytes& out);

// Whether a record, whose size has been checked (codec.h), is one of these.
bool is_call_batch(std::span<const std::uint8_t> record);

// The calls in a record, one by one. Shows the record's bytes, which somebody else keeps.
class CallBatchReader {
 public:
  // Errors are BadTrace and name the event, here and in next().
  static Result<CallBatchReader> open(std::span<const std::uint8_t> record);
  // Of calls that are in no record yet.
  explicit CallBatchReader(const CallBatch& batch) : batch_(batch) {}
  bool done() const { return given_ == batch_.count; }
  // Precondition: !done().
  Result<Event> next();

 private:
  CallBatch batch_;  // `before` and `records`: of the next call
  std::uint32_t given_ = 0;
};

// Memory in a record of system calls (other records have none): adds the places of all extents of at least `least`
// bytes, as offsets in `record`, in order. The calls of a batch come from the recorded program: stops where one makes
// no sense.
struct ExtentPlace {
  std::size_t at = 0, size = 0;
};
void find_extents(std::span<const std::uint8_t> record, std::size_t least, std::vector<ExtentPlace>& places);

}  // namespace tmrec
