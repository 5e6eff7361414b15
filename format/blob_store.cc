#include "format/blob_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <functional>

#include "format/xxh3.h"

namespace tmrec {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kBufferSize = std::size_t{256} << 10;

BlobId id_of(XXH128_hash_t hash) { return {fmt::format("{:016x}{:016x}", hash.high64, hash.low64)}; }

struct Hasher {
  Hasher() { XXH3_128bits_reset(&state); }
  void update(std::span<const std::uint8_t> bytes) { XXH3_128bits_update(&state, bytes.data(), bytes.size()); }
  BlobId id() { return id_of(XXH3_128bits_digest(&state)); }
  XXH3_state_t state;
};

struct Content {
  BlobId id;
  std::uint64_t size = 0;
};

// Hashes what `from` holds now, and writes the same bytes to `to` unless that is -1. 0 or an errno.
int scan(int from, int to, Content& content) {
  Bytes buffer(kBufferSize);
  Hasher hasher;
  content.size = 0;
  while (true) {
    const std::int64_t n = read_at(from, content.size, buffer);
    if (n < 0) return errno;
    const std::span<const std::uint8_t> bytes(buffer.data(), static_cast<std::size_t>(n));
    hasher.update(bytes);
    if (to >= 0 && !bytes.empty()) {
      if (const int err = write_all(to, bytes)) return err;
    }
    content.size += bytes.size();
    if (bytes.size() < buffer.size()) break;
  }
  content.id = hasher.id();
  return 0;
}

std::int64_t nanoseconds(const timespec& t) { return t.tv_sec * 1'000'000'000 + t.tv_nsec; }

}  // namespace

std::size_t BlobStore::IdentityHash::operator()(const Identity& i) const {
  return std::hash<std::uint64_t>{}(i.inode * 0x9e3779b97f4a7c15 ^ i.device ^ static_cast<std::uint64_t>(i.changed_ns));
}

Result<BlobStore> BlobStore::create(const fs::path& root) {
  TMREC_CHECKED(make_directories(root));
  return BlobStore(root);
}

bool BlobStore::valid(const BlobId& id) {
  return id.hex.size() == 32 &&
         std::ranges::all_of(id.hex, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

Result<BlobStore::Identity> BlobStore::identify(int fd) {
  struct stat st{};
  if (::fstat(fd, &st) != 0) return fail_errno("storing a mapped file");
  if (!S_ISREG(st.st_mode)) return fail(ErrorKind::System, "storing a mapped file: not a regular file");
  return Identity{st.st_dev, st.st_ino, static_cast<std::uint64_t>(st.st_size), nanoseconds(st.st_mtim),
                  nanoseconds(st.st_ctim)};
}

// A blob of another size is the remainder of a power failure.
bool BlobStore::holds(const BlobId& id, std::uint64_t size) const {
  struct stat st{};
  return ::lstat(path_of(id).c_str(), &st) == 0 && S_ISREG(st.st_mode) &&
         static_cast<std::uint64_t>(st.st_size) == size;
}

fs::path BlobStore::temporary_path() const {
  static std::atomic<unsigned> counter = 0;
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);  // another container may share the store and our process id
  return root_ / fmt::format(".{}-{}-{:x}.tmp", ::getpid(), counter++, nanoseconds(now));
}

Result<void> BlobStore::put_in_place(const fs::path& temporary, const BlobId& id) {
  if (::rename(temporary.c_str(), path_of(id).c_str()) != 0) {
    const int err = errno;
    ::unlink(temporary.c_str());
    return fail_errno(path_of(id).string(), err);
  }
  const std::lock_guard lock(shared_->mutex);
  shared_->unsynced.push_back(id);
  return {};
}

Result<BlobId> BlobStore::publish(const fs::path& temporary, const BlobId& id, std::uint64_t size) {
  if (holds(id, size)) {
    ::unlink(temporary.c_str());
    return id;
  }
  TMREC_CHECKED(put_in_place(temporary, id));
  return id;
}

// Two passes: most files are in the store already, and then reading is all that is needed.
Result<BlobId> BlobStore::store(int fd, std::uint64_t size) {
  Content content;
  if (const int err = scan(fd, -1, content)) return fail_errno("reading a mapped file", err);
  if (holds(content.id, content.size)) return content.id;

  const fs::path temporary = temporary_path();
  TMREC_TRY(Fd file, open_file(temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW));
  // ioctl_ficlonerange(2). Every failure means "not here": another file system, none with reflinks, an empty file.
  const bool cloned = size != 0 && ::ioctl(file.get(), FICLONE, fd) == 0;
  const int err = cloned ? scan(file.get(), -1, content) : scan(fd, file.get(), content);
  if (err != 0) {
    ::unlink(temporary.c_str());
    return fail_errno(temporary.string(), err);
  }
  return publish(temporary, content.id, content.size);
}

Result<BlobId> BlobStore::put_fd(int fd) {
  TMREC_TRY(const Identity before, identify(fd));
  {
    const std::lock_guard lock(shared_->mutex);
    if (const auto it = shared_->stored.find(before); it != shared_->stored.end()) return it->second;
  }
  TMREC_TRY(BlobId id, store(fd, before.size));
  // Remembered only if it did not change meanwhile; stores through a shared mapping may not show in the times until
  // written back (mmap(2)), which is why such files are events of their own in a recording.
  TMREC_TRY(const Identity after, identify(fd));
  if (before == after) {
    const std::lock_guard lock(shared_->mutex);
    shared_->stored.emplace(before, id);
  }
  return id;
}

Result<BlobId> BlobStore::put_bytes(std::span<const std::uint8_t> bytes) {
  const BlobId id = id_of(XXH3_128bits(bytes.data(), bytes.size()));
  if (holds(id, bytes.size())) return id;
  const fs::path temporary = temporary_path();
  TMREC_TRY(Fd file, open_file(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW));
  if (const int err = write_all(file.get(), bytes)) {
    ::unlink(temporary.c_str());
    return fail_errno(temporary.string(), err);
  }
  return publish(temporary, id, bytes.size());
}

bool BlobStore::is_blob(const BlobId& id, int fd) const {
  struct stat blob{}, file{};
  return ::lstat(path_of(id).c_str(), &blob) == 0 && ::fstat(fd, &file) == 0 && blob.st_dev == file.st_dev &&
         blob.st_ino == file.st_ino;
}

// The file behind the descriptor holds what the blob's name says; if it is the blob, that is verified.
void BlobStore::know_verified(const BlobId& id, int fd) {
  auto identity = identify(fd);
  if (!identity || !is_blob(id, fd)) return;
  const std::lock_guard lock(shared_->mutex);
  shared_->verified[id.hex] = *identity;
}

Result<void> BlobStore::put_known(const BlobId& id, std::span<const std::uint8_t> bytes, int file) {
  if (!valid(id)) return fail(ErrorKind::System, "a blob without a name");
  // Another copy is replaced, too: one file is enough for all, in memory as well.
  if (!holds(id, bytes.size()) || (file >= 0 && !is_blob(id, file))) {
    const fs::path temporary = temporary_path();
    // By descriptor (linkat(2)): the name may have been given to another file meanwhile.
    const std::string link = fmt::format("/proc/self/fd/{}", file);
    const bool linked =
        file >= 0 && ::linkat(AT_FDCWD, link.c_str(), AT_FDCWD, temporary.c_str(), AT_SYMLINK_FOLLOW) == 0;
    if (!linked) {
      if (holds(id, bytes.size())) return {};
      TMREC_TRY(const Fd copy, open_file(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW));
      const int err = ::fchmod(copy.get(), 0400) != 0 ? errno : write_all(copy.get(), bytes);
      if (err != 0) {
        ::unlink(temporary.c_str());
        return fail_errno(temporary.string(), err);
      }
      TMREC_CHECKED(publish(temporary, id, bytes.size()));
      know_verified(id, copy.get());
      return {};
    }
    TMREC_CHECKED(put_in_place(temporary, id));
  }
  if (file >= 0) know_verified(id, file);
  return {};
}

Result<int> BlobStore::open_verified(const BlobId& id) {
  if (!valid(id)) return fail(ErrorKind::BadTrace, "the trace names a blob that is none");
  const fs::path path = path_of(id);
  TMREC_TRY(Fd file, open_file(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, ErrorKind::BadTrace));
  auto identity = identify(file.get());
  if (!identity) return fail(ErrorKind::BadTrace, path.string() + ": not a blob");
  {
    const std::lock_guard lock(shared_->mutex);
    const auto it = shared_->verified.find(id.hex);
    if (it != shared_->verified.end() && it->second == *identity) return file.release();
  }
  Content content;
  if (const int err = scan(file.get(), -1, content)) return fail_errno(path.string(), err, ErrorKind::BadTrace);
  if (content.id != id)
    return fail(ErrorKind::BadTrace,
                fmt::format("{}: damaged blob (its content hashes to {})", path.string(), content.id.hex));
  const std::lock_guard lock(shared_->mutex);
  shared_->verified[id.hex] = *identity;
  return file.release();
}

Result<void> BlobStore::sync() {
  std::vector<BlobId> ids;
  {
    const std::lock_guard lock(shared_->mutex);
    ids.swap(shared_->unsynced);
  }
  if (ids.empty()) return {};
  for (const BlobId& id : ids) {
    TMREC_TRY(Fd file, open_file(path_of(id), O_RDONLY));
    if (::fdatasync(file.get()) != 0) return fail_errno(path_of(id).string());
  }
  TMREC_TRY(Fd directory, open_file(root_, O_RDONLY | O_DIRECTORY));
  if (::fsync(directory.get()) != 0) return fail_errno(root_.string());
  return {};
}

}  // namespace tmrec
