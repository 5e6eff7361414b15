// Whatever a user may mean by TRACE, made ready to be read: a directory, or a pack that is unpacked for the time being.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "cli/private_folder.h"
#include "format/result.h"

namespace tmrec::cli {

// What commands that read a trace are told.
struct TraceChoice {
  std::string name;      // a name in the base directory, a directory, a pack; empty: the newest
  std::string identity;  // file with the key to an encrypted pack
};

// Adds TRACE and --identity to a command.
void add_trace_choice(CLI::App& app, TraceChoice& choice);

struct OpenTrace {
  std::filesystem::path trace, blobs;  // directories
  std::string name;                    // what to call it: the pack, or the directory
  bool packed = false, encrypted = false;
  std::uint64_t pack_bytes = 0;         // of the pack's file
  std::optional<PrivateFolder> folder;  // of what was unpacked; gone with this object
};

// Errors: BadTrace: none there, or damaged; Usage: an encrypted pack without its key; Machine: no room, or no age.
Result<OpenTrace> open_trace(const TraceChoice& choice);

}  // namespace tmrec::cli
