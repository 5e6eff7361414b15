#include "recorder/elf_needs.h"

#include <elf.h>

#include <algorithm>
#include <cstring>

namespace tmrec::recorder {

namespace {

constexpr std::size_t kMostSegments = 256, kMostEntries = 4096, kMostLibraries = 1024;
constexpr std::size_t kLongestString = 4096;

template <class T>
std::span<std::uint8_t> bytes_of(T& value) {
  return {reinterpret_cast<std::uint8_t*>(&value), sizeof value};
}
template <class T>
std::span<std::uint8_t> bytes_of(std::vector<T>& values) {
  return {reinterpret_cast<std::uint8_t*>(values.data()), values.size() * sizeof(T)};
}

class NeedsReader {
 public:
  explicit NeedsReader(const ReadAt& read) : read_(read) {}

  std::optional<ElfNeeds> run() {
    if (!read_segments()) return std::nullopt;
    measure_text();
    for (const Elf64_Phdr& segment : segments_) {
      if (segment.p_type == PT_INTERP) needs_.interpreter = string(segment.p_offset, segment.p_filesz);
    }
    for (const Elf64_Phdr& segment : segments_) {
      if (segment.p_type == PT_DYNAMIC) {
        read_dynamic(segment);
        break;
      }
    }
    return std::move(needs_);
  }

 private:
  bool read_segments() {
    Elf64_Ehdr header{};
    if (!read_(0, bytes_of(header)) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return false;
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB) return false;
    if (header.e_machine != EM_X86_64 || (header.e_type != ET_DYN && header.e_type != ET_EXEC)) return false;
    if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum > kMostSegments) return false;
    segments_.resize(header.e_phnum);
    return read_(header.e_phoff, bytes_of(segments_));
  }

  void measure_text() {
    std::uint64_t low = ~std::uint64_t{0}, high = 0;
    for (const Elf64_Phdr& segment : segments_) {
      if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X) == 0) continue;
      low = std::min(low, segment.p_vaddr);
      high = std::max(high, segment.p_vaddr + segment.p_filesz);
      if (segment.p_filesz > 0) needs_.texts.push_back({segment.p_vaddr, segment.p_filesz, segment.p_offset});
    }
    if (high > low) needs_.text_size = high - low;
  }

  // The string at `offset`, up to its end or `limit`; empty when there is none.
  std::string string(std::uint64_t offset, std::uint64_t limit) const {
    std::string text;
    std::uint8_t byte = 0;
    std::uint8_t piece[64];
    while (text.size() < std::min<std::uint64_t>(limit, kLongestString)) {
      // Piece by piece; byte by byte where the file ends.
      const std::span<std::uint8_t> bytes = read_(offset + text.size(), piece) ? std::span(piece) : std::span(&byte, 1);
      if (bytes.size() == 1 && !read_(offset + text.size(), bytes)) return {};
      const auto end = std::ranges::find(bytes, 0);
      text.append(bytes.begin(), end);
      if (end != bytes.end()) return text;
    }
    return text.size() > limit || limit > kLongestString ? std::string() : text;
  }

  // Where the file has what is loaded at this address.
  std::optional<std::uint64_t> offset_of(std::uint64_t va) const {
    for (const Elf64_Phdr& segment : segments_) {
      if (segment.p_type != PT_LOAD || va < segment.p_vaddr || va - segment.p_vaddr >= segment.p_filesz) continue;
      return segment.p_offset + (va - segment.p_vaddr);
    }
    return std::nullopt;
  }

  void read_dynamic(const Elf64_Phdr& segment) {
    std::vector<Elf64_Dyn> entries(std::min<std::uint64_t>(segment.p_filesz / sizeof(Elf64_Dyn), kMostEntries));
    if (!read_(segment.p_offset, bytes_of(entries))) return;
    entries.erase(std::ranges::find(entries, Elf64_Sxword{DT_NULL}, &Elf64_Dyn::d_tag), entries.end());
    std::optional<std::uint64_t> strings;
    std::uint64_t size = 0;
    for (const Elf64_Dyn& entry : entries) {
      if (entry.d_tag == DT_STRTAB) strings = offset_of(entry.d_un.d_ptr);
      if (entry.d_tag == DT_STRSZ) size = entry.d_un.d_val;
    }
    if (!strings) return;
    for (const Elf64_Dyn& entry : entries) {
      const std::uint64_t at = entry.d_un.d_val;
      if (entry.d_tag != DT_NEEDED && entry.d_tag != DT_RPATH && entry.d_tag != DT_RUNPATH) continue;
      if (at >= size || needs_.libraries.size() >= kMostLibraries) continue;
      std::string text = string(*strings + at, size - at);
      if (entry.d_tag == DT_RPATH)
        needs_.rpath = std::move(text);
      else if (entry.d_tag == DT_RUNPATH)
        needs_.runpath = std::move(text);
      else if (!text.empty())
        needs_.libraries.push_back(std::move(text));
    }
  }

  const ReadAt& read_;
  std::vector<Elf64_Phdr> segments_;
  ElfNeeds needs_;
};

}  // namespace

std::optional<ElfNeeds> read_elf_needs(const ReadAt& read) { return NeedsReader(read).run(); }

}  // namespace tmrec::recorder
