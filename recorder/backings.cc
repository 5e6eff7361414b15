#include "recorder/backings.h"

#include <algorithm>
#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>

namespace tmrec::recorder {

namespace {

bool same_content(const struct stat& a, const struct stat& b) {
  return a.st_size == b.st_size && a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec &&
         a.st_ctim.tv_sec == b.st_ctim.tv_sec && a.st_ctim.tv_nsec == b.st_ctim.tv_nsec;
}

}  // namespace

Backings::~Backings() {
  for (auto& [key, known] : known_) {
    if (known.fd >= 0) close(known.fd);
  }
}

Result<MapSource> Backings::map_file(const std::string& path, std::uint64_t offset, const std::string& shown_path) {
  int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return fail_errno(fmt::format("cannot read {}, which the program maps", shown_path));
  struct stat now {};
  if (fstat(fd, &now) < 0 || !S_ISREG(now.st_mode)) {
    close(fd);
    return fail(ErrorKind::System, fmt::format("{} is mapped but is not a regular file", shown_path));
  }
  Known& known = known_[{now.st_dev, now.st_ino}];
  if (known.id.value == 0) known.id = BackingId(++last_id_);
  if (!known.stored || !same_content(known.seen, now)) {
    auto blob = blobs_.put_fd(fd);
    if (!blob) {
      close(fd);
      return std::unexpected(blob.error());
    }
    known.stored = true;
    known.blob = *blob;
    known.seen = now;
  }
  if (known.fd < 0) {
    known.fd = fd;
  } else {
    close(fd);
  }
  return MapSource{MapSource::Kind::File, known.id,   known.blob, offset, static_cast<std::uint64_t>(now.st_size),
                   shown_path};
}

Result<MapSource> Backings::map_segment(int id, const Bytes& content) {
  TMREC_TRY(BlobId blob, blobs_.put_bytes(content));
  BackingId& backing = segments_[id];
  if (backing.value == 0) backing = BackingId(++last_id_);
  return MapSource{MapSource::Kind::File, backing, blob, 0, content.size(), fmt::format("/SYSV{:08x}", id)};
}

std::optional<FileChange> Backings::changed(const struct stat& file, std::uint64_t offset, std::uint64_t length) {
  auto it = known_.find({file.st_dev, file.st_ino});
  if (it == known_.end()) return std::nullopt;
  Known& known = it->second;
  struct stat now {};
  if (fstat(known.fd, &now) < 0) return std::nullopt;
  FileChange change;
  change.backing = known.id;
  change.offset = offset;
  auto size = static_cast<std::uint64_t>(now.st_size);
  if (now.st_size != known.seen.st_size) change.new_size = size;
  if (offset < size) {
    change.bytes.resize(std::min(length, size - offset));
    std::size_t have = 0;
    while (have < change.bytes.size()) {
      ssize_t n = pread(known.fd, change.bytes.data() + have, change.bytes.size() - have,
                        static_cast<off_t>(offset + have));
      if (n <= 0) break;
      have += static_cast<std::size_t>(n);
    }
    change.bytes.resize(have);
  }
  // The content now is the blob plus the changes logged so far: a later mapping need not store it again, and names no
  // blob (replay has the content).
  known.seen = now;
  known.blob = {};
  return change;
}

}  // namespace tmrec::recorder
