// Files of the caches: whoever can write them decides what code runs in recorded programs.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>

#include "format/file_io.h"
#include "tracee/patch/bytes.h"

namespace tmrec::tracee {

// Names of files that are still being written end like this.
inline constexpr const char* kTemporarySuffix = ".plan.tmp";

// Nobody else can write to it.
bool is_private(const struct stat& st);

struct CacheFile {
  std::shared_ptr<const Fd> file;  // null: none, or one that others can write to
  std::uint64_t size = 0;          // bytes
};
// `name` may lead through a directory inside of this one.
CacheFile open_cache_file(int directory, const std::string& name);

// Writes a file beside its place and renames it: another process sees all of it or nothing. Mode 0400. Not synced to
// the disk: after a power failure checksums tell. False: it is not there, nor is anything else left.
bool write_cache_file(int directory, const std::string& name, std::initializer_list<patch::Bytes> parts);

}  // namespace tmrec::tracee
