// Which blobs of a store are still needed.
//
// A store is shared by all traces beside it, and with TMREC_BLOB_DIR by traces anywhere. So the store keeps a list of
// the traces that were recorded into it (`traces`, absolute paths, each ended by a NUL byte); what such a trace refers
// to is read from its log and snapshots. Recordings hold a shared lock on the store's directory, collecting takes it
// exclusively: a blob that a running recording has just stored is in no log yet.
//
// Counting references in the store was rejected: a recording that is killed, or a trace removed with `rm -r`, would
// leave the counts wrong for good, while this list repairs itself.
#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>

#include "format/file_io.h"
#include "format/result.h"

namespace tmrec::cli {

// Adds the trace to the list of the store, which is created when missing. While the descriptor lives nothing is
// collected.
Result<Fd> register_trace(const std::filesystem::path& store, const std::filesystem::path& trace);

// The ids of all blobs that a trace refers to. BadTrace when that cannot be told for certain.
Result<std::set<std::string>> blobs_used_by(const std::filesystem::path& trace);

struct Collected {
  std::uint64_t blobs = 0;
  std::uint64_t bytes = 0;
  std::string kept_because;  // not empty: nothing was collected, and why
};

// Removes every blob of the store that no trace refers to, and what killed recordings left half-written. Traces beside
// the store count whether listed or not; listed ones that are gone are dropped from the list.
Result<Collected> collect(const std::filesystem::path& store);

}  // namespace tmrec::cli
