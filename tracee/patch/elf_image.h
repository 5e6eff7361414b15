// What the patcher needs to know of an ELF64 x86-64 file: segments, sections, symbols and dynamic relocations (System V
// gABI chapters 4 and 5, x86-64 psABI 4.4). The file may be damaged or hostile: everything is checked against its size,
// whatever doesn't fit is left out, and a file whose headers can't be used at all is an error.
#pragma once

#include <string_view>
#include <unordered_map>
#include <vector>

#include "format/result.h"
#include "tracee/patch/bytes.h"

namespace tmrec::patch {

struct Segment {
  std::uint32_t type, flags;  // PT_*, PF_*
  std::uint64_t offset;       // in the file
  Va va;
  std::uint64_t file_size, memory_size;
};

struct Section {
  std::string_view name;  // in the file's bytes
  std::uint32_t type;     // SHT_*
  std::uint64_t flags;
  Va va;
  Bytes bytes;  // empty for SHT_NOBITS
};

struct Symbol {
  Va va;
  std::uint64_t size;
  std::uint8_t type;  // STT_*
  bool exported;      // other modules find it by name
};

struct Relocation {
  Va va;               // of the word that is relocated
  std::uint32_t type;  // R_X86_64_*
  Va value;            // addend plus the symbol's value: the address stored, if the symbol is the module's own
  std::string_view version = {};  // of the symbol that another module is to define, in the file's bytes; empty: any
};

class ElfImage {
 public:
  // `file` must outlive the image.
  static Result<ElfImage> parse(Bytes file);

  bool position_independent() const { return position_independent_; }
  Va entry() const { return entry_; }
  Bytes file() const { return file_; }
  const std::vector<Segment>& segments() const { return segments_; }
  const std::vector<Section>& sections() const { return sections_; }
  const Section* section(std::string_view name) const;
  // Defined symbols of .symtab and .dynsym, in no order, perhaps twice.
  const std::vector<Symbol>& symbols() const { return symbols_; }
  // RELA, JMPREL and RELR of the dynamic section.
  const std::vector<Relocation>& relocations() const { return relocations_; }

  // The file's bytes from address `va` to the end of its PT_LOAD segment; empty where nothing of the file is loaded.
  Bytes from(Va va) const;

 private:
  Result<void> read_segments();
  void read_sections();
  void read_symbols(Bytes table, bool exported);
  void read_dynamic();
  void read_versions(Va needed, std::uint64_t count, Va strings);
  void read_rela(Bytes table, Bytes symbols, Bytes versions);
  void read_relr(Bytes table);

  Bytes file_;
  bool position_independent_ = false;
  Va entry_ = 0;
  std::vector<Segment> segments_;
  std::vector<Section> sections_;
  std::vector<Symbol> symbols_;
  std::vector<Relocation> relocations_;
  std::unordered_map<std::uint16_t, std::string_view> versions_;  // that other modules have, by number
};

}  // namespace tmrec::patch
