// A pack: one file that holds a whole trace with everything it refers to, so that it can be sent somewhere.
//
// Problem: a trace is a directory whose mapped files lie in a store that it shares with others. What is sent to a
// colleague has to be one file, must be openable years later, and is hostile input there.
// Solution: a tar archive (POSIX.1-1988 ustar) in one zstd frame with a checksum, which anybody can unpack by
// `tar --zstd -xf`; the folder in it is a trace like any other. The first file is a list of all that follow: names are
// looked at before anything is created, and the room it takes is known before anything is written. tmrec unpacks a
// pack to use it: blobs are mapped, snapshots are read whole, so reading in place would save little, and decompression
// runs at more than a gigabyte a second.
// Rejected: libarchive, because its writer links every format it knows, down to XML, into a static binary, and its
// reader accepts much that no pack holds; the dozen lines that a header takes are all that is needed here. Zip, for
// random access nobody needs, without long-range compression. Compressing file by file: small blobs compress badly.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "format/event.h"
#include "format/file_io.h"
#include "format/result.h"

namespace tmrec {

// Told now and then how many bytes of content are done.
using PackProgress = std::function<void(std::uint64_t done, std::uint64_t total)>;

// A file for a pack: a copy of `from` as it is when it is its turn, or `content` when `from` is empty.
struct PackedFile {
  std::string name;  // as PackReader::Entry::name
  std::uint64_t size = 0;
  std::filesystem::path from;
  Bytes content;
};

// Writes a pack at the descriptor's offset; `folder`: what it unpacks to, at most 100 of [A-Za-z0-9._+-], not starting
// with a dot. Compresses on all CPUs that the caller may use. System: a file cannot be read or is not `size` bytes long
// any more, or writing failed.
Result<void> write_pack(int to, const std::string& folder, const std::vector<PackedFile>& files,
                        const PackProgress& progress = {});

// The pack is hostile input: errors are BadTrace, begin with its name and are one line. Holds a few MiB of memory
// whatever the pack says.
class PackReader {
 public:
  struct Entry {
    std::string name;  // "manifest.json", "log/000001", "snapshot-1-1.core", "blobs/HASH" or "debug/ab/cdef.debug"
    std::uint64_t size = 0;
  };

  // Reads the list from a pack that begins at the descriptor's offset; it may be a pipe. `name` is for messages.
  static Result<PackReader> open(Fd from, const std::string& name);
  PackReader(PackReader&&) noexcept;
  ~PackReader();

  // In the pack's order, each name once; manifest.json is one of them.
  const std::vector<Entry>& entries() const;
  // Bytes of all of them; 2^63 at most.
  std::uint64_t size() const;
  // Creates all of them under `directory`, which exists and is empty. Only once. Nothing is created outside of it,
  // nothing that is there is opened or replaced. System: cannot write.
  Result<void> unpack(const std::filesystem::path& directory, const PackProgress& progress = {});

 private:
  struct Impl;
  explicit PackReader(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Whether a file that begins with these bytes claims to be a pack.
bool begins_like_pack(std::span<const std::uint8_t> head);

// Whether a pack may hold a file of this name.
bool valid_pack_name(const std::string& name);

}  // namespace tmrec
