#include "cli/debug_files.h"

#include <elf.h>
#include <fcntl.h>
#include <fmt/format.h>

#include <cstring>
#include <vector>

#include "format/file_io.h"

namespace tmrec::cli {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kMostSegments = 256;
constexpr std::uint64_t kLongestNotes = 64 << 10;
constexpr std::size_t kShortestId = 2, kLongestId = 64;  // bytes; SHA-1 has 20

template <class T>
bool read_exactly(int fd, std::uint64_t offset, std::span<T> into) {
  const std::span<std::uint8_t> bytes(reinterpret_cast<std::uint8_t*>(into.data()), into.size_bytes());
  return read_at(fd, offset, bytes) == static_cast<std::int64_t>(bytes.size());
}

std::size_t align4(std::size_t size) { return (size + 3) & ~std::size_t{3}; }

// The notes of one segment; System V gABI, chapter 5, "Note Section".
std::optional<std::string> id_among(std::span<const std::uint8_t> notes) {
  while (notes.size() >= sizeof(Elf64_Nhdr)) {
    Elf64_Nhdr note;
    std::memcpy(&note, notes.data(), sizeof note);
    notes = notes.subspan(sizeof note);
    const std::size_t name = align4(note.n_namesz), content = align4(note.n_descsz);
    if (name > notes.size() || content > notes.size() - name) return std::nullopt;
    const bool gnu =
        note.n_namesz == sizeof ELF_NOTE_GNU && std::memcmp(notes.data(), ELF_NOTE_GNU, sizeof ELF_NOTE_GNU) == 0;
    if (gnu && note.n_type == NT_GNU_BUILD_ID && note.n_descsz >= kShortestId && note.n_descsz <= kLongestId) {
      std::string id;
      for (const std::uint8_t byte : notes.subspan(name, note.n_descsz)) id += fmt::format("{:02x}", byte);
      return id;
    }
    notes = notes.subspan(name + content);
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> build_id_of(const fs::path& path) {
  const auto file = open_file(path, O_RDONLY | O_NONBLOCK);
  Elf64_Ehdr header{};
  if (!file || !read_exactly(file->get(), 0, std::span(&header, 1))) return std::nullopt;
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64) return std::nullopt;
  if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum > kMostSegments) return std::nullopt;
  std::vector<Elf64_Phdr> segments(header.e_phnum);
  if (!read_exactly(file->get(), header.e_phoff, std::span(segments))) return std::nullopt;
  for (const Elf64_Phdr& segment : segments) {
    if (segment.p_type != PT_NOTE || segment.p_filesz > kLongestNotes) continue;
    std::vector<std::uint8_t> notes(segment.p_filesz);
    if (!read_exactly(file->get(), segment.p_offset, std::span(notes))) continue;
    if (auto id = id_among(notes)) return id;
  }
  return std::nullopt;
}

std::string debug_name(const std::string& build_id) {
  return fmt::format("{}/{}.debug", build_id.substr(0, 2), build_id.substr(2));
}

std::optional<fs::path> installed_debug_file(const std::string& build_id) {
  const fs::path path = fs::path("/usr/lib/debug/.build-id") / debug_name(build_id);
  std::error_code error;
  if (!fs::is_regular_file(path, error)) return std::nullopt;
  return path;
}

}  // namespace tmrec::cli
