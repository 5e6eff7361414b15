// Reads a core file that tmrec wrote, trusting nothing in it.
#include <fcntl.h>
#include <fmt/format.h>

#include <cstring>
#include <optional>

#include "format/codec.h"
#include "format/core_file.h"
#include "format/core_layout.h"
#include "format/file_io.h"
#include "format/xxh3.h"

namespace tmrec {

namespace fs = std::filesystem;

namespace {

using Span = std::span<const std::uint8_t>;

// Whether [at, at + size) lies in a file of `limit` bytes, whatever the numbers.
bool within(std::uint64_t at, std::uint64_t size, std::uint64_t limit) { return at <= limit && size <= limit - at; }

class CoreReader {
 public:
  CoreReader(const fs::path& path, Fd file, std::uint64_t size)
      : path_(path.string()), file_(std::move(file)), size_(size) {}

  Result<Snapshot> read() {
    TMREC_CHECKED(read_segments());
    TMREC_TRY(Snapshot snapshot, read_notes());
    snapshot.pages.clear();
    TMREC_CHECKED(read_pages(snapshot));
    return snapshot;
  }

 private:
  std::unexpected<Error> bad(std::string_view what) const {
    return fail(ErrorKind::BadTrace, fmt::format("{}: {}", path_, what));
  }

  // All of `into`, or an error. Callers have checked the range with within().
  Result<void> get(std::uint64_t at, std::span<std::uint8_t> into) const {
    const std::int64_t n = read_at(file_.get(), at, into);
    if (n < 0) return fail_errno(path_, errno, ErrorKind::BadTrace);
    if (static_cast<std::size_t>(n) != into.size()) return bad("the snapshot is cut off");
    return {};
  }

  template <class T>
  Result<T> get(std::uint64_t at) const {
    T value;
    if (!within(at, sizeof value, size_)) return bad("the snapshot is cut off");
    TMREC_CHECKED(get(at, std::span(reinterpret_cast<std::uint8_t*>(&value), sizeof value)));
    return value;
  }

  Result<void> read_segments();
  Result<Snapshot> read_notes();
  Result<void> read_pages(Snapshot& snapshot);

  std::string path_;
  Fd file_;
  std::uint64_t size_;
  std::vector<Elf64_Phdr> stored_;  // PT_LOADs with content
  Elf64_Phdr note_{};
  std::uint64_t hash_at_ = 0;
  std::uint64_t hash_ = 0;
};

Result<void> CoreReader::read_segments() {
  TMREC_TRY(const auto header, get<Elf64_Ehdr>(0));
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
      header.e_ident[EI_DATA] != ELFDATA2LSB || header.e_type != ET_CORE || header.e_machine != EM_X86_64 ||
      header.e_phentsize != sizeof(Elf64_Phdr))
    return bad("not a snapshot");
  std::uint64_t count = header.e_phnum;
  if (count == PN_XNUM) {
    TMREC_TRY(const auto section, get<Elf64_Shdr>(header.e_shoff));
    count = section.sh_info;
  }
  // count is at most 32 bits wide: no overflow.
  if (!within(header.e_phoff, count * sizeof(Elf64_Phdr), size_)) return bad("the snapshot is cut off");
  std::vector<Elf64_Phdr> all(count);
  TMREC_CHECKED(
      get(header.e_phoff, std::span(reinterpret_cast<std::uint8_t*>(all.data()), count * sizeof(Elf64_Phdr))));

  bool noted = false;
  for (const Elf64_Phdr& p : all) {
    if (p.p_filesz != 0 && !within(p.p_offset, p.p_filesz, size_)) return bad("the snapshot is cut off");
    if (p.p_type == PT_NOTE && !noted) {
      note_ = p;
      noted = true;
    } else if (p.p_type == PT_LOAD) {
      if (p.p_filesz != 0) stored_.push_back(p);
    } else {
      return bad("a damaged snapshot: unknown segment");
    }
  }
  if (!noted) return bad("a core file that tmrec did not write");
  return {};
}

Result<Snapshot> CoreReader::read_notes() {
  Bytes notes(note_.p_filesz);
  TMREC_CHECKED(get(note_.p_offset, notes));
  std::uint64_t at = 0;
  while (within(at, sizeof(Elf64_Nhdr), notes.size())) {
    Elf64_Nhdr head;
    std::memcpy(&head, notes.data() + at, sizeof head);
    const std::uint64_t name_at = at + sizeof head;
    const std::uint64_t data_at = name_at + core::align4(head.n_namesz);
    if (!within(name_at, head.n_namesz, notes.size()) || !within(data_at, head.n_descsz, notes.size())) break;
    at = data_at + core::align4(head.n_descsz);
    const bool ours = head.n_type == core::kSnapshotNote && head.n_namesz == sizeof core::kOwner &&
                      std::memcmp(notes.data() + name_at, core::kOwner, sizeof core::kOwner) == 0;
    if (!ours) continue;

    core::NoteHead own;
    if (head.n_descsz < sizeof own) break;
    std::memcpy(&own, notes.data() + data_at, sizeof own);
    if (own.version > core::NoteHead{}.version) return bad("a snapshot of a newer version: install a newer tmrec");
    if (own.version != core::NoteHead{}.version) break;
    hash_ = own.hash;
    hash_at_ = note_.p_offset + data_at + offsetof(core::NoteHead, hash);
    auto snapshot = decode_snapshot_note(Span(notes).subspan(data_at + sizeof own, head.n_descsz - sizeof own));
    if (!snapshot) return bad(snapshot.error().text);
    if (const char* fault = core::fault_of(snapshot->mappings)) return bad(fault);
    return snapshot;
  }
  return bad("a core file that tmrec did not write, or a damaged one");
}

// Reads the stored pages and checks the hash of the whole file on the way: pages lie at its end, in order.
Result<void> CoreReader::read_pages(Snapshot& snapshot) {
  const std::uint64_t first = stored_.empty() ? size_ : stored_.front().p_offset;
  if (hash_at_ + sizeof hash_ > first) return bad("a damaged snapshot: pages before notes");
  Bytes head(first);
  TMREC_CHECKED(get(0, head));
  std::memset(head.data() + hash_at_, 0, sizeof hash_);
  XXH3_state_t state;
  XXH3_64bits_reset(&state);
  XXH3_64bits_update(&state, head.data(), head.size());

  std::uint64_t offset = first;
  RemoteAddr last;
  for (const Elf64_Phdr& p : stored_) {
    const RemoteAddr start(p.p_vaddr), end = start + p.p_filesz;
    if (p.p_offset != offset || p.p_filesz != p.p_memsz || !core::page_aligned(p.p_vaddr) ||
        !core::page_aligned(p.p_filesz) || start < last || core::mapping_of(snapshot.mappings, start, end) == nullptr)
      return bad("a damaged snapshot: pages that belong to no mapping");
    Extent& extent = snapshot.pages.emplace_back();
    extent.addr = start;
    extent.bytes.resize(p.p_filesz);
    TMREC_CHECKED(get(offset, extent.bytes));
    XXH3_64bits_update(&state, extent.bytes.data(), extent.bytes.size());
    offset += p.p_filesz;
    last = end;
  }
  if (offset != size_ || XXH3_64bits_digest(&state) != hash_)
    return bad("a damaged snapshot: its content is not what was written");
  return {};
}

}  // namespace

Result<Snapshot> read_core(const fs::path& path) {
  TMREC_TRY(Fd file, open_file(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, ErrorKind::BadTrace));
  struct stat st{};
  if (::fstat(file.get(), &st) != 0) return fail_errno(path.string(), errno, ErrorKind::BadTrace);
  if (!S_ISREG(st.st_mode)) return fail(ErrorKind::BadTrace, path.string() + ": not a snapshot");
  try {
    return CoreReader(path, std::move(file), static_cast<std::uint64_t>(st.st_size)).read();
  } catch (const std::bad_alloc&) {
    return fail(ErrorKind::System, path.string() + ": no memory for a snapshot of this size");
  }
}

}  // namespace tmrec
