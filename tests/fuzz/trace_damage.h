// Damages whole traces. Bytes of files, as disks and networks do, which hashes must notice; and, with all hashes made
// right again, what a forger would write: events, snapshots and mapped files that lead the replayer astray.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "format/event.h"
#include "tests/fuzz/mutate.h"

namespace tmrec::fuzz {

struct NamedBytes {
  std::string name;
  Bytes bytes;
};

// A sound trace in memory.
struct Trace {
  Bytes manifest;
  Bytes log;  // its only segment
  std::vector<Event> events;
  std::vector<NamedBytes> snapshots;
  std::vector<NamedBytes> blobs;
  std::filesystem::path blob_directory;  // where the blobs lie
};

// Throws std::runtime_error when the trace at `path`, whose blobs lie in `blobs`, can't be read.
Trace read_trace(const std::filesystem::path& path, const std::filesystem::path& blobs);

struct Damage {
  std::string what;
  bool hidden = false;          // hashes are right: only its consequences can be noticed
  bool changes_status = false;  // the exit status that the manifest promises may be another one
};

// Writes a damaged copy of the trace to `place`/trace and `place`/blobs, which must not exist. The same state of
// `random` gives the same copy.
Damage write_damaged(const Trace& trace, const std::filesystem::path& place, Random& random);

// The same without damage.
void write_sound(const Trace& trace, const std::filesystem::path& place);

}  // namespace tmrec::fuzz
