// Mapped objects at replay. A private mapping shows the recorded content straight from its blob. As soon as an object
// is mapped shared, or the recording changes it, it becomes a memfd of the replayer's, which all mappings of it then
// show: pages a program has written to privately keep its content, all others see every change, as with the original
// file.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>

#include "format/blob_store.h"
#include "format/event.h"
#include "format/file_io.h"

namespace tmrec::replayer {

class Objects {
 public:
  // `show_everywhere`: makes all existing private mappings of an object show its memfd, in every address space.
  Objects(BlobStore blobs, std::function<Result<void>(BackingId, int memfd)> show_everywhere)
      : Objects(std::make_shared<BlobStore>(std::move(blobs)), std::move(show_everywhere)) {}
  // The same with a store that others use, too.
  Objects(std::shared_ptr<BlobStore> blobs, std::function<Result<void>(BackingId, int memfd)> show_everywhere)
      : blobs_(std::move(blobs)), show_everywhere_(std::move(show_everywhere)) {}
  ~Objects();
  Objects(const Objects&) = delete;
  Objects& operator=(const Objects&) = delete;

  // A descriptor, ours and valid as long as Objects, of what a mapping made now must show.
  Result<int> show(const MapSource& source, bool shared);
  Result<void> change(const FileChange& change);
  // Nothing is there any more.
  void clear();
  // The replay begins in the middle of a recording: changes to objects that are not there yet mean nothing.
  void begin_midway() { midway_ = true; }
  // The object of this source is there, with room for what the source says; its content comes from elsewhere.
  Result<void> make_room(const MapSource& source);
  const std::shared_ptr<BlobStore>& blobs() const { return blobs_; }

  // Takes over all of `other` as it is now; this one is empty. Objects that have become memfds are copied: `each` gets
  // the inode of the original and the descriptor of the copy, ours.
  Result<void> copy_from(const Objects& other,
                         const std::function<Result<void>(BackingId, std::uint64_t inode, int copy)>& each);
  // A blob that is no mapped file of the program's: its file, verified, and what that holds.
  struct Blob {
    Fd file;
    MappedFile content;
  };
  Result<Blob> blob(const BlobId& id);

 private:
  struct Object {
    BlobId loaded;  // content, unless changed since
    int blob_fd = -1;
    int memfd = -1;
  };
  Result<void> open_blob(Object& object, const BlobId& blob);
  Result<void> to_memfd(BackingId id, Object& object);

  std::shared_ptr<BlobStore> blobs_;
  std::function<Result<void>(BackingId, int)> show_everywhere_;
  std::unordered_map<std::uint32_t, Object> objects_;
  bool midway_ = false;
};

}  // namespace tmrec::replayer
