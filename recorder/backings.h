// Objects that programs map: files, memfds, System V segments.
//
// The problem: what a mapping shows is an input of the program, and it changes when anybody writes to the file, also
// under private read-only mappings. The solution: every mapped inode gets a number (a backing) and its content goes to
// the blob store when it is mapped; a later file operation of the recording on that inode is a change event with the
// new bytes. When the same inode is mapped again, its content then is stored again if its stat data differ, so changes
// made through shared mappings or by strangers meanwhile are seen at that moment.
#pragma once

#include <sys/stat.h>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "format/blob_store.h"
#include "format/event.h"
#include "format/file_io.h"
#include "tracee/proc.h"

namespace tmrec::recorder {

class Backings {
 public:
  explicit Backings(BlobStore& blobs) : blobs_(blobs) {}
  Backings(const Backings&) = delete;
  Backings& operator=(const Backings&) = delete;

  // The content of the file open at `path` (usually /proc/TID/fd/N), mapped from `offset`. `shown_path` is for people.
  Result<MapSource> map_file(const std::string& path, std::uint64_t offset, const std::string& shown_path);
  // The same for memory that processes share, which may have changed without a trace in the file's data: stored anew,
  // once in this recording.
  Result<MapSource> map_shared(const std::string& path, std::uint64_t offset, const std::string& shown_path);
  // The same for an object that cannot be opened, which is known by what a mapping from `offset` shows of it.
  Result<MapSource> map_memory(std::pair<std::uint64_t, std::uint64_t> object, std::uint64_t offset, const Bytes& shown,
                               const std::string& shown_path);
  // The same for a System V segment `id`, whose bytes are given.
  Result<MapSource> map_segment(int id, const Bytes& content);

  // For a starting point: the objects as they are, without changing what later mappings will say in a replay that comes
  // from before. Between begin_start() and end_start(). `path` may be empty. A source without a blob: the object's
  // content is to be given by the pages of this mapping, unless `given` says that it has been.
  struct AtStart {
    MapSource source;
    bool given = false;
  };
  void begin_start() { given_.clear(); }
  Result<AtStart> at_start(const tracee::MapsLine& map, const std::string& path);
  // Objects that no task has mapped now are unknown to a replay that begins here: they are stored again when they are
  // mapped again.
  void end_start();

  // Whether any recorded mapping shows this inode.
  bool is_mapped(const struct stat& file) const { return known_.contains({file.st_dev, file.st_ino}); }

  // The bytes of a mapped inode after a file operation on [offset, offset + length), and its size if that changed.
  std::optional<FileChange> changed(const struct stat& file, std::uint64_t offset, std::uint64_t length);

 private:
  struct Known {
    BackingId id;
    Fd file;  // ours, for reading
    struct stat seen {};
    BlobId blob;          // empty: replay has the content from changes
    bool stored = false;  // `seen` is the state that replay knows
    bool fresh = false;   // stored by map_shared()
    Bytes content;        // of map_memory(), so far
  };
  BlobStore& blobs_;
  std::uint32_t last_id_ = 0;
  std::map<std::pair<dev_t, ino_t>, Known> known_;
  std::map<int, BackingId> segments_;
  std::map<std::pair<dev_t, ino_t>, BackingId> unopened_;                   // seen by starting points alone
  std::map<std::pair<std::uint32_t, std::uint64_t>, std::uint64_t> given_;  // object and offset: size
};

}  // namespace tmrec::recorder
