// What `ls` and `info` say about a trace besides its manifest.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "format/manifest.h"

namespace tmrec::cli {

// "ok": recorded to its end; "ended early"; "recording": a tmrec is at work on it; "broken off": its tmrec was killed.
std::string state_of(const Manifest& manifest, const std::filesystem::path& trace);

// Bytes of all files of the trace itself, without its blobs.
std::uint64_t size_of(const std::filesystem::path& trace);

// The command line as one would type it.
std::string shown_command(const std::vector<std::string>& command);

// "2026-11-21 10:15:02", local time.
std::string shown_time(std::int64_t seconds);

}  // namespace tmrec::cli
