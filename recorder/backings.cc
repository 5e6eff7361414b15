#include "recorder/backings.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <algorithm>

#include <fmt/format.h>

#include "format/file_io.h"

namespace tmrec::recorder {

namespace {

bool same_content(const struct stat& a, const struct stat& b) {
  return a.st_size == b.st_size && a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec &&
         a.st_ctim.tv_sec == b.st_ctim.tv_sec && a.st_ctim.tv_nsec == b.st_ctim.tv_nsec;
}

}  // namespace

Result<MapSource> Backings::map_file(const std::string& path, std::uint64_t offset, const std::string& shown_path) {
  Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) return fail_errno(fmt::format("cannot read {}, which the program maps", shown_path));
  struct stat now {};
  if (fstat(file.get(), &now) < 0 || !S_ISREG(now.st_mode)) {
    return fail(ErrorKind::System, fmt::format("{} is mapped but is not a regular file", shown_path));
  }
  Known& known = known_[{now.st_dev, now.st_ino}];
  if (known.id.value == 0) known.id = BackingId(++last_id_);
  if (!known.stored || !same_content(known.seen, now)) {
    TMREC_TRY(known.blob, blobs_.put_fd(file.get()));
    known.stored = true;
    known.seen = now;
  }
  if (!known.file) known.file = std::move(file);
  return MapSource{
      MapSource::Kind::File, known.id, known.blob, offset, static_cast<std::uint64_t>(now.st_size), shown_path};
}

Result<MapSource> Backings::map_shared(const std::string& path, std::uint64_t offset, const std::string& shown_path) {
  struct stat file {};
  if (stat(path.c_str(), &file) < 0) return fail_errno(shown_path);
  Known& known = known_[{file.st_dev, file.st_ino}];
  if (!known.fresh) known.stored = false;
  known.fresh = true;
  return map_file(path, offset, shown_path);
}

Result<MapSource> Backings::map_memory(std::pair<std::uint64_t, std::uint64_t> object, std::uint64_t offset,
                                       const Bytes& shown, const std::string& shown_path) {
  Known& known = known_[object];
  if (known.id.value == 0) known.id = BackingId(++last_id_);
  if (known.content.size() < offset + shown.size()) known.content.resize(offset + shown.size());
  std::ranges::copy(shown, known.content.begin() + static_cast<std::ptrdiff_t>(offset));
  TMREC_TRY(known.blob, blobs_.put_bytes(known.content));
  return MapSource{MapSource::Kind::File, known.id, known.blob, offset, known.content.size(), shown_path};
}

Result<MapSource> Backings::map_segment(int id, const Bytes& content) {
  TMREC_TRY(BlobId blob, blobs_.put_bytes(content));
  BackingId& backing = segments_[id];
  if (backing.value == 0) backing = BackingId(++last_id_);
  return MapSource{MapSource::Kind::File, backing, blob, 0, content.size(), fmt::format("/SYSV{:08x}", id)};
}

Result<Backings::AtStart> Backings::at_start(const tracee::MapsLine& map, const std::string& path) {
  AtStart found;
  MapSource& source = found.source;
  source.kind = MapSource::Kind::File;
  source.offset = map.offset;
  source.path = map.name;
  source.size = map.offset + (map.end - map.start);
  const auto known = known_.find({map.device, map.inode});
  const bool is_known = known != known_.end() && known->second.file;
  struct stat now {};
  if (map.shared && map.name.starts_with("/SYSV")) {
    BackingId& id = segments_[static_cast<int>(map.inode)];
    if (id.value == 0) id = BackingId(++last_id_);
    source.backing = id;
  } else if (is_known && fstat(known->second.file.get(), &now) == 0) {
    source.backing = known->second.id;
    source.size = static_cast<std::uint64_t>(now.st_size);
    const bool as_mapped = known->second.stored && same_content(known->second.seen, now);
    const bool may_change = map.shared && (map.prot & PROT_WRITE) != 0;
    if (as_mapped && !may_change) source.blob = known->second.blob;
    if (source.blob.hex.empty() && !map.shared) {
      TMREC_TRY(source.blob, blobs_.put_fd(known->second.file.get()));
    }
  } else {
    BackingId& id = unopened_[{map.device, map.inode}];
    if (id.value == 0) id = BackingId(++last_id_);
    source.backing = id;
    if (!map.shared) {
      Fd file(path.empty() ? -1 : open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
      if (!file || fstat(file.get(), &now) < 0 || !S_ISREG(now.st_mode)) return fail_errno(map.name);
      source.size = static_cast<std::uint64_t>(now.st_size);
      TMREC_TRY(source.blob, blobs_.put_fd(file.get()));
    }
  }
  std::uint64_t& size = given_[{source.backing.value, source.offset}];
  found.given = size >= map.end - map.start;
  size = std::max(size, map.end - map.start);
  if (source.blob.hex.empty() && is_known) known->second.stored = false;
  return found;
}

void Backings::end_start() {
  for (auto& [inode, known] : known_) {
    const auto first = given_.lower_bound({known.id.value, 0});
    if (first == given_.end() || first->first.first != known.id.value) known.stored = false;
  }
}

std::optional<FileChange> Backings::changed(const struct stat& file, std::uint64_t offset, std::uint64_t length) {
  auto it = known_.find({file.st_dev, file.st_ino});
  if (it == known_.end()) return std::nullopt;
  Known& known = it->second;
  struct stat now {};
  if (fstat(known.file.get(), &now) < 0) return std::nullopt;
  FileChange change;
  change.backing = known.id;
  change.offset = offset;
  auto size = static_cast<std::uint64_t>(now.st_size);
  if (now.st_size != known.seen.st_size) change.new_size = size;
  if (offset < size) {
    change.bytes.resize(std::min(length, size - offset));
    const std::int64_t have = read_at(known.file.get(), offset, change.bytes);
    change.bytes.resize(have < 0 ? 0 : static_cast<std::size_t>(have));
  }
  // The content now is the blob plus the changes logged so far: a later mapping need not store it again, and names no
  // blob (replay has the content).
  known.seen = now;
  known.blob = {};
  return change;
}

}  // namespace tmrec::recorder
