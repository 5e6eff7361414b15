#include <algorithm>
#include <cstring>

#include "format/codec.h"
#include "tests/fuzz/target.h"
#include "tests/unit/format/samples.h"

namespace tmrec::fuzz {

namespace {

void decode_and_compare(std::span<const std::uint8_t> record) {
  const auto event = decode(record);
  if (!event) {
    require(event.error().kind == ErrorKind::BadTrace && !event.error().text.empty(), "errors say what is wrong");
    return;
  }
  Bytes again;
  require(encode(*event, again), "what was decoded can be encoded");
  // The attachment of a system call may be present and empty, which encode() never writes.
  require(again.size() <= record.size(), "decoding invents nothing");
  const auto twice = decode(again);
  require(twice && samples::same(*event, *twice), "decoding what was encoded gives the same event");
}

void run(std::span<const std::uint8_t> input) {
  decode_and_compare(input);
  if (input.size() < sizeof(std::uint32_t)) return;
  Bytes sized(input.begin(), input.end());
  const auto size = static_cast<std::uint32_t>(sized.size());
  std::memcpy(sized.data(), &size, sizeof size);
  decode_and_compare(sized);
}

std::vector<Bytes> seeds() {
  std::vector<Bytes> out;
  for (const Event& event : samples::events()) require(encode(event, out.emplace_back()), "samples can be encoded");
  return out;
}

void run_note(std::span<const std::uint8_t> input) {
  const auto snapshot = decode_snapshot_note(input);
  if (!snapshot) return;
  const Bytes again = encode_snapshot_note(*snapshot);
  require(std::ranges::equal(again, input), "decoding loses nothing");
}

std::vector<Bytes> note_seeds() { return {encode_snapshot_note(samples::snapshot()), encode_snapshot_note({})}; }

}  // namespace

const Target codec_target{"codec", run, seeds};
const Target snapshot_note_target{"snapshot_note", run_note, note_seeds};

}  // namespace tmrec::fuzz
