// Which other files an ELF program or library asks for (System V gABI, chapter 5, "Dynamic Linking"), read from a few
// places of the file instead of all of it. The file may be damaged or hostile: what doesn't fit is left out, and what
// is read is bounded.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace tmrec::recorder {

// Fills all of `into` from the file's bytes at `offset`; false: they are not there.
using ReadAt = std::function<bool(std::uint64_t offset, std::span<std::uint8_t> into)>;

// An executable segment, in bytes: where it is loaded, and from where in the file.
struct ElfText {
  std::uint64_t va, size, offset;
};

struct ElfNeeds {
  std::string interpreter;             // PT_INTERP; empty: none
  std::vector<std::string> libraries;  // DT_NEEDED, in the order of the file
  std::string rpath, runpath;          // as written: colons and $ORIGIN in them
  std::vector<ElfText> texts;          // in the order of the file
  std::uint64_t text_size = 0;         // from the first executable segment's start to the last one's end, in memory
};

// nullopt: not an ELF64 program or library for x86-64.
std::optional<ElfNeeds> read_elf_needs(const ReadAt& read);

}  // namespace tmrec::recorder
