#include "tracee/patch/gopclntab.h"

#include <elf.h>

namespace tmrec::patch {

namespace {

constexpr std::uint32_t kGo116 = 0xfffffffa, kGo118 = 0xfffffff0, kGo120 = 0xfffffff1;

// The function table: pairs of (pc, offset of funcdata), one more pc at its end. 8-byte words holding addresses in
// Go 1.16; 4-byte words relative to the start of the text since 1.18.
std::vector<GoFunction> read_table(Bytes table, std::uint64_t count, std::uint64_t word, Va text) {
  std::vector<GoFunction> functions;
  if (count > table.size() / (2 * word)) return {};
  Reader in(table);
  auto next = [&] { return word == 8 ? in.get<std::uint64_t>() : text + in.get<std::uint32_t>(); };
  Va begin = next();
  for (std::uint64_t i = 0; i < count; ++i) {
    in.skip(word);
    Va end = next();
    if (!in.ok() || end < begin) return {};
    functions.push_back({begin, end});
    begin = end;
  }
  return functions;
}

std::vector<GoFunction> parse(const ElfImage& image, Bytes tab) {
  Reader in(tab);
  auto magic = in.get<std::uint32_t>();
  if (magic != kGo116 && magic != kGo118 && magic != kGo120) return {};
  in.skip(2);
  auto quantum = in.get<std::uint8_t>();
  auto pointer_size = in.get<std::uint8_t>();
  if (quantum != 1 || pointer_size != 8) return {};
  auto count = in.get<std::uint64_t>();
  in.skip(8);  // number of files
  Va text = 0;
  if (magic != kGo116) text = in.get<std::uint64_t>();
  in.skip(4 * 8);  // names, compilation units, files, pc tables
  auto offset = in.get<std::uint64_t>();
  if (!in.ok() || offset > tab.size()) return {};
  // textStart is a relocated word: in a PIE without the value in place it is zero, and .text is where the text starts.
  if (magic != kGo116 && text == 0) {
    if (const Section* s = image.section(".text")) text = s->va;
  }
  return read_table(tab.subspan(offset), count, magic == kGo116 ? 8 : 4, text);
}

}  // namespace

std::vector<GoFunction> read_go_functions(const ElfImage& image) {
  for (const char* name : {".gopclntab", ".data.rel.ro.gopclntab"}) {
    if (const Section* s = image.section(name)) return parse(image, s->bytes);
  }
  if (!image.sections().empty()) return {};
  // No section headers: the header's first 8 bytes, at an aligned address of a segment that isn't executable.
  for (const auto& segment : image.segments()) {
    if (segment.type != PT_LOAD || (segment.flags & PF_X)) continue;
    Bytes bytes = image.from(segment.va);
    for (std::size_t at = 0; at + 8 <= bytes.size(); at += 32) {
      if (bytes[at + 1] != 0xff || bytes[at + 4] != 0 || bytes[at + 6] != 1 || bytes[at + 7] != 8) continue;
      if (auto functions = parse(image, bytes.subspan(at)); !functions.empty()) return functions;
    }
  }
  return {};
}

}  // namespace tmrec::patch
