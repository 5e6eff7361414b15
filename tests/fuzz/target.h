// Everything that reads a trace, or what a debugger sends, as functions of bytes: for libFuzzer (one program each) and
// for the deterministic driver that the test run uses.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "format/event.h"

namespace tmrec::fuzz {

struct Target {
  const char* name;
  // Must neither crash nor hang, whatever the bytes; aborts where reading gives something impossible.
  void (*run)(std::span<const std::uint8_t> input);
  // Valid inputs to mutate.
  std::vector<Bytes> (*seeds)();
};

extern const Target codec_target;          // event records
extern const Target snapshot_note_target;  // tmrec's note in a core file
extern const Target log_target;            // a log of one segment
extern const Target manifest_target;       // manifest.json
extern const Target core_target;           // a snapshot
extern const Target pack_target;           // a trace in one file
extern const Target gdb_target;            // what a debugger sends

// Reports and aborts when the reader broke a promise.
void require(bool holds, const char* promise);

}  // namespace tmrec::fuzz
