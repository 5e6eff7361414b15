#include "replayer/objects.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include "format/file_io.h"

namespace tmrec::replayer {

namespace {

Result<void> copy_content(int from, int to) {
  struct stat file {};
  if (fstat(from, &file) < 0) return fail_errno("cannot read a blob");
  if (ftruncate(to, file.st_size) < 0) return fail_errno("cannot size a mapped object");
  std::vector<std::uint8_t> buffer(1 << 20);
  for (off_t at = 0; at < file.st_size;) {
    ssize_t n = pread(from, buffer.data(), buffer.size(), at);
    if (n <= 0) return fail_errno("cannot read a blob");
    if (pwrite(to, buffer.data(), static_cast<std::size_t>(n), at) != n)
      return fail_errno("cannot fill a mapped object");
    at += n;
  }
  return {};
}

}  // namespace

Objects::~Objects() { clear(); }

void Objects::clear() {
  for (auto& [id, object] : objects_) {
    if (object.blob_fd >= 0) close(object.blob_fd);
    if (object.memfd >= 0) close(object.memfd);
  }
  objects_.clear();
}

namespace {

// Sizes and offsets that no file can have come from a damaged trace; anything else is the machine's doing.
std::unexpected<Error> change_failed(int err) {
  const bool impossible = err == EINVAL || err == EFBIG;
  return fail_errno("cannot change a mapped object", err, impossible ? ErrorKind::BadTrace : ErrorKind::System);
}

}  // namespace

Result<void> Objects::open_blob(Object& object, const BlobId& blob) {
  TMREC_TRY(int fd, blobs_->open_verified(blob));
  if (object.blob_fd >= 0) close(object.blob_fd);
  object.blob_fd = fd;
  object.loaded = blob;
  return {};
}

Result<void> Objects::to_memfd(BackingId id, Object& object) {
  object.memfd = memfd_create("tmrec-object", MFD_CLOEXEC);
  if (object.memfd < 0) return fail_errno("cannot create a memory file");
  TMREC_CHECKED(copy_content(object.blob_fd, object.memfd));
  return show_everywhere_(id, object.memfd);
}

Result<int> Objects::show(const MapSource& source, bool shared) {
  auto [it, is_new] = objects_.try_emplace(source.backing.value);
  Object& object = it->second;
  if (is_new) {
    if (source.blob.hex.empty()) return fail(ErrorKind::BadTrace, fmt::format("{} has no content", source.path));
    TMREC_CHECKED(open_blob(object, source.blob));
  }
  bool other_content = !source.blob.hex.empty() && !(source.blob == object.loaded);
  if ((shared || other_content) && object.memfd < 0) TMREC_CHECKED(to_memfd(source.backing, object));
  if (other_content) {
    TMREC_CHECKED(open_blob(object, source.blob));
    TMREC_CHECKED(copy_content(object.blob_fd, object.memfd));
  }
  return object.memfd >= 0 ? object.memfd : object.blob_fd;
}

Result<void> Objects::copy_from(const Objects& other,
                                const std::function<Result<void>(BackingId, std::uint64_t, int)>& each) {
  midway_ = other.midway_;
  for (const auto& [id, theirs] : other.objects_) {
    Object& ours = objects_[id];
    ours.loaded = theirs.loaded;
    if (theirs.blob_fd >= 0 && (ours.blob_fd = fcntl(theirs.blob_fd, F_DUPFD_CLOEXEC, 0)) < 0) {
      return fail_errno("cannot keep a blob open");
    }
    if (theirs.memfd < 0) continue;
    struct stat file {};
    if (fstat(theirs.memfd, &file) < 0) return fail_errno("cannot read a mapped object");
    ours.memfd = memfd_create("tmrec-object", MFD_CLOEXEC);
    if (ours.memfd < 0) return fail_errno("cannot create a memory file");
    TMREC_CHECKED(copy_content(theirs.memfd, ours.memfd));
    TMREC_CHECKED(each(BackingId(id), file.st_ino, ours.memfd));
  }
  return {};
}

Result<void> Objects::make_room(const MapSource& source) {
  Object& object = objects_[source.backing.value];
  if (object.memfd < 0 && object.blob_fd >= 0) return {};
  if (object.memfd < 0) object.memfd = memfd_create("tmrec-object", MFD_CLOEXEC);
  if (object.memfd < 0) return fail_errno("cannot create a memory file");
  struct stat file {};
  if (fstat(object.memfd, &file) < 0) return fail_errno("cannot read a mapped object");
  if (static_cast<std::uint64_t>(file.st_size) >= source.size) return {};
  if (ftruncate(object.memfd, static_cast<off_t>(source.size)) < 0) return change_failed(errno);
  return {};
}

Result<void> Objects::change(const FileChange& change) {
  auto it = objects_.find(change.backing.value);
  if (it == objects_.end() && midway_) return {};
  if (it == objects_.end()) {
    return fail(ErrorKind::BadTrace,
                fmt::format("a change to object {}, which was never mapped", change.backing.value));
  }
  Object& object = it->second;
  if (object.memfd < 0) TMREC_CHECKED(to_memfd(change.backing, object));
  object.loaded = {};
  if (change.new_size && ftruncate(object.memfd, static_cast<off_t>(*change.new_size)) < 0) {
    return change_failed(errno);
  }
  if (pwrite(object.memfd, change.bytes.data(), change.bytes.size(), static_cast<off_t>(change.offset)) !=
      static_cast<ssize_t>(change.bytes.size())) {
    return change_failed(errno);
  }
  return {};
}

Result<Objects::Blob> Objects::blob(const BlobId& id) {
  TMREC_TRY(const int opened, blobs_->open_verified(id));
  Fd file(opened);
  TMREC_TRY(MappedFile content, MappedFile::of(file.get(), blobs_->path_of(id)));
  return Blob{std::move(file), std::move(content)};
}

}  // namespace tmrec::replayer
