// What a trace consists of: its own files, the contents of mapped files, and debug information that belongs to them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "format/pack.h"
#include "format/result.h"

namespace tmrec::cli {

struct Amount {
  std::uint64_t files = 0, bytes = 0;
};

struct TraceContents {
  std::vector<PackedFile> log, snapshots, blobs, debug;  // by name; sizes as they are now
  std::vector<std::string> missing;                      // blobs that the trace refers to and nobody has
};

// `with_debug`: look for debug information, beside the trace (an unpacked pack) and on this machine. Error: BadTrace.
Result<TraceContents> contents_of(const std::filesystem::path& trace, const std::filesystem::path& blobs,
                                  bool with_debug);

Amount amount_of(const std::vector<PackedFile>& files);

}  // namespace tmrec::cli
