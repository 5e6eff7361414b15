#include "tracee/patch/hidden_entries.h"

#include <elf.h>

#include <algorithm>

namespace tmrec::patch {

namespace {

constexpr std::size_t kMaxTable = 16384;  // entries of one jump table

class Finder {
 public:
  Finder(const ElfImage& image, const CodeMap& code) : image_(image), code_(code), entries_(code.text().size()) {}

  void mark(Va va) {
    if (code_.holds(va)) entries_.set(code_.offset(va));
  }

  void mark_data_words() {
    for (const auto& s : image_.segments()) {
      if (s.type != PT_LOAD || ((s.flags & PF_X) && image_.position_independent())) continue;
      Bytes bytes = image_.file().subspan(s.offset, s.file_size);
      for (std::size_t at = (0 - s.va) & 3; at + 4 <= bytes.size(); at += 4) {
        std::uint32_t low, high = 1;
        std::memcpy(&low, bytes.data() + at, 4);
        if (at + 8 <= bytes.size()) std::memcpy(&high, bytes.data() + at + 4, 4);
        mark(std::uint64_t{high} << 32 | low);
        if (!image_.position_independent()) mark(low);
      }
    }
  }

  // `lea` of code, and the tables that `lea` finds, function by function: a table's offsets may be relative to a label
  // whose address the same function takes (glibc's vfprintf).
  void mark_code_references() {
    auto function = code_.functions().begin();
    std::vector<Va> labels, tables;
    for (const Insn& insn : code_.insns()) {
      while (function != code_.functions().end() && insn.at >= function->end) {
        mark_tables(labels, tables);
        labels.clear();
        tables.clear();
        ++function;
      }
      if (!image_.position_independent()) mark_immediate(insn);
      Bytes bytes = code_.bytes(insn);
      if (insn.rip_displacement == 0 || bytes[insn.opcode] != 0x8d) continue;
      Va va = code_.va(insn.end()) + static_cast<std::uint64_t>(rip_displacement(insn, bytes));
      mark(va);
      bool is_code = code_.holds(va) && code_.starts().test(code_.offset(va));
      (is_code ? labels : tables).push_back(va);
    }
    mark_tables(labels, tables);
  }

  Bits take() { return std::move(entries_); }

 private:
  void mark_immediate(const Insn& insn) {
    Bytes bytes = code_.bytes(insn);
    std::uint64_t value = 0;
    if (insn.immediate == 4 || insn.immediate == 8) {
      std::memcpy(&value, bytes.data() + insn.length - insn.immediate, insn.immediate);
      mark(value);
    }
  }

  void mark_tables(const std::vector<Va>& labels, const std::vector<Va>& tables) {
    for (Va table : tables) {
      mark_table(table, table);
      for (std::size_t i = 0; i < labels.size() && i < 64; ++i) mark_table(table, labels[i]);
    }
  }

  void mark_table(Va table, Va relative_to) {
    Reader in(image_.from(table));
    for (std::size_t i = 0; i < kMaxTable && in.left() >= 4; ++i) {
      Va va = relative_to + static_cast<std::uint64_t>(std::int64_t{in.get<std::int32_t>()});
      if (!code_.holds(va) || !code_.starts().test(code_.offset(va))) return;
      mark(va);
    }
  }

  const ElfImage& image_;
  const CodeMap& code_;
  Bits entries_;
};

}  // namespace

Bits find_hidden_entries(const ElfImage& image, const UnwindInfo& unwind, const CodeMap& code) {
  Finder finder(image, code);
  finder.mark(image.entry());
  for (const auto& f : code.functions()) finder.mark(code.va(f.begin));
  for (Va pad : unwind.landing_pads) finder.mark(pad);
  for (const auto& s : image.symbols()) finder.mark(s.va);
  for (const auto& r : image.relocations()) finder.mark(r.value);
  finder.mark_data_words();
  finder.mark_code_references();
  return finder.take();
}

}  // namespace tmrec::patch
