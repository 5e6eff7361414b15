// Content-addressed store of the files that recorded programs mapped: `<root>/<hash>`, once per content, shared by all
// traces. Files have mode 0600, the directory 0700.
//
// Problem: a recording needs every mapped file as it was; the file may be replaced, deleted or written at any time, by
// anyone, also while it is being stored.
// Solution: a reflink where the file system has them (no space, no time, an atomic image), else a copy; the name is the
// hash of the bytes that were stored, taken from the very bytes written.
// Rejected: a hard link (writes through the original name would change the blob; only files of our own that nobody
// writes to again are linked); hashing the original and then copying
// it with copy_file_range (the copy may be of something else by then).
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "format/event.h"
#include "format/file_io.h"
#include "format/result.h"

namespace tmrec {

// Any number of processes may use one store at a time, and any thread one BlobStore.
class BlobStore {
 public:
  // Creates the directory and its parents when missing.
  static Result<BlobStore> create(const std::filesystem::path& root);
  // For reading: nothing is created; a missing store shows when a blob is opened.
  static BlobStore open(std::filesystem::path root) { return BlobStore(std::move(root)); }

  // Stores the content of a readable regular file; its offset is left alone. A file that this process stored before and
  // that kept its inode, size and times is not read again.
  Result<BlobId> put_fd(int fd);
  Result<BlobId> put_bytes(std::span<const std::uint8_t> bytes);
  // Stores `bytes`, whose hash the caller has just computed. `file`: a descriptor of a file of this user's that holds
  // them, whose directory is private and which nobody writes to again, to be linked instead of copied where that is
  // possible, also in place of a copy; -1: none. A copy made here has mode 0400.
  Result<void> put_known(const BlobId& id, std::span<const std::uint8_t> bytes, int file);

  // A new read-only close-on-exec descriptor, the caller's to close. The content is hashed when this process opens the
  // blob for the first time, and again if the file changed. A missing, damaged or misnamed blob is BadTrace and names
  // the path.
  Result<int> open_verified(const BlobId& id);

  // Where the blob lies, or would; only for valid ids.
  std::filesystem::path path_of(const BlobId& id) const { return root_ / id.hex; }
  const std::filesystem::path& root() const { return root_; }

  // Makes all blobs stored by this object durable; before the manifest that promises them is written.
  Result<void> sync();

  // 32 lower-case hexadecimal digits: safe as a file name.
  static bool valid(const BlobId& id);

 private:
  // What tells one content of an inode from another without reading it (st_ctim moves with every write(2) and
  // ftruncate(2); inode(7)).
  struct Identity {
    std::uint64_t device = 0, inode = 0, size = 0;
    std::int64_t modified_ns = 0, changed_ns = 0;
    friend bool operator==(const Identity&, const Identity&) = default;
  };
  struct IdentityHash {
    std::size_t operator()(const Identity& i) const;
  };
  // Movable for Result<BlobStore>.
  struct Shared {
    std::mutex mutex;
    std::unordered_map<Identity, BlobId, IdentityHash> stored;  // by the identity of the original
    std::unordered_map<std::string, Identity> verified;         // by id
    std::vector<BlobId> unsynced;
  };

  explicit BlobStore(std::filesystem::path root) : root_(std::move(root)), shared_(std::make_unique<Shared>()) {}
  static Result<Identity> identify(int fd);
  bool holds(const BlobId& id, std::uint64_t size) const;
  bool is_blob(const BlobId& id, int fd) const;
  void know_verified(const BlobId& id, int fd);
  Result<BlobId> store(int fd, std::uint64_t size);
  Result<void> put_in_place(const std::filesystem::path& temporary, const BlobId& id);
  Result<BlobId> publish(const std::filesystem::path& temporary, const BlobId& id, std::uint64_t size);
  std::filesystem::path temporary_path() const;

  std::filesystem::path root_;
  std::unique_ptr<Shared> shared_;
};

}  // namespace tmrec
