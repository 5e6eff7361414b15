// Whether hidden entries are found, asked of a witness: a static program linked with --emit-relocs carries the
// relocations the linker used, and these name every address that its code and data take, the C library's and C++
// runtime's included. (Distances between two labels of one section leave none.)
#include <doctest/doctest.h>
#include <elf.h>

#include <algorithm>
#include <optional>
#include <set>
#include <string_view>

#include "tests/unit/patch/plan_checks.h"

using namespace tmrec;
using namespace tmrec::patch;

namespace {

struct LinkRelocation {
  Va place;
  std::uint32_t type;
  Va value;  // symbol plus addend
};

struct SectionHeaders {
  std::vector<Elf64_Shdr> headers;
  Bytes file;

  explicit SectionHeaders(Bytes bytes) : file(bytes) {
    Elf64_Ehdr elf;
    std::memcpy(&elf, file.data(), sizeof elf);
    headers.resize(elf.e_shnum);
    std::memcpy(headers.data(), file.data() + elf.e_shoff, headers.size() * sizeof(Elf64_Shdr));
  }
  std::string_view name(const Elf64_Shdr& header) const {
    Elf64_Ehdr elf;
    std::memcpy(&elf, file.data(), sizeof elf);
    return reinterpret_cast<const char*>(file.data()) + headers[elf.e_shstrndx].sh_offset + header.sh_name;
  }
  template <class T>
  std::vector<T> entries(const Elf64_Shdr& header) const {
    std::vector<T> found(header.sh_size / sizeof(T));
    std::memcpy(found.data(), file.data() + header.sh_offset, found.size() * sizeof(T));
    return found;
  }
};

// Those of sections that are loaded: of code, or of data without unwind tables, whose entries the planner reads.
std::vector<LinkRelocation> relocations(const SectionHeaders& sections, bool code) {
  std::vector<LinkRelocation> found;
  for (const auto& header : sections.headers) {
    if (header.sh_type != SHT_RELA || (header.sh_flags & SHF_ALLOC)) continue;
    const auto& target = sections.headers[header.sh_info];
    if (!(target.sh_flags & SHF_ALLOC) || bool(target.sh_flags & SHF_EXECINSTR) != code) continue;
    if (target.sh_type == SHT_X86_64_UNWIND || sections.name(target).starts_with(".eh_frame")) continue;
    auto symbols = sections.entries<Elf64_Sym>(sections.headers[header.sh_link]);
    for (const auto& r : sections.entries<Elf64_Rela>(header)) {
      Va value = symbols[ELF64_R_SYM(r.r_info)].st_value + static_cast<Va>(r.r_addend);
      found.push_back({r.r_offset, static_cast<std::uint32_t>(ELF64_R_TYPE(r.r_info)), value});
    }
  }
  return found;
}

bool is_absolute(std::uint32_t type) { return type == R_X86_64_64 || type == R_X86_64_32 || type == R_X86_64_32S; }

// The address that the `lea` with its displacement at `place` takes.
std::optional<Va> taken_by_lea(const Module& m, Va place) {
  if (!m.code.holds(place)) return {};
  for (std::uint32_t at = m.code.offset(place); at > 0 && at + 8 > m.code.offset(place); --at) {
    if (!m.code.starts().test(at)) continue;
    const Insn& insn = m.code.insns()[m.code.index_of(at)];
    Bytes bytes = m.code.bytes(insn);
    if (at + insn.rip_displacement != m.code.offset(place) || bytes[insn.opcode] != 0x8d) return {};
    return m.code.va(insn.end()) + static_cast<Va>(rip_displacement(insn, bytes));
  }
  return {};
}

// Every address in the text that code or data takes.
std::set<Va> taken_addresses(const Module& m) {
  SectionHeaders sections(m.file);
  std::set<Va> taken, tables;
  for (const auto& r : relocations(sections, true)) {
    if (is_absolute(r.type)) taken.insert(r.value);
    if (auto va = r.type == R_X86_64_PC32 ? taken_by_lea(m, r.place) : std::nullopt) {
      (m.code.holds(*va) ? taken : tables).insert(*va);
    }
  }
  for (const auto& r : relocations(sections, false)) {
    if (is_absolute(r.type)) taken.insert(r.value);
    if (r.type != R_X86_64_PC32) continue;
    // In a jump table the linker's word is a distance from the table's begin, which some `lea` takes.
    auto table = tables.upper_bound(r.place);
    if (table != tables.begin()) taken.insert(r.value - r.place + *std::prev(table));
  }
  std::erase_if(taken, [&](Va va) { return !m.code.holds(va) || !m.code.starts().test(m.code.offset(va)); });
  return taken;
}

void check(const std::string& path) {
  CAPTURE(path);
  auto m = Module::load(path, {});
  REQUIRE(m);
  Bits inside(m->code.text().size());
  for (const Edit& e : m->plan.edits) inside.set_range(e.program + 1, e.program + e.length);
  std::size_t in_edits = 0, unmarked = 0;
  auto taken = taken_addresses(*m);
  for (Va va : taken) {
    std::uint32_t at = m->code.offset(va);
    if (inside.test(at)) {
      ++in_edits;
      MESSAGE("an address that is taken lies inside an edit: ", va);
    }
    if (m->entries.test(at) || m->code.targets().test(at)) continue;
    if (++unmarked < 10) MESSAGE("unmarked: ", va);
  }
  MESSAGE(path, ": ", taken.size(), " addresses are taken, unmarked ", unmarked);
  CHECK(taken.size() > 1000);
  CHECK(in_edits == 0);
  CHECK(unmarked == 0);
  CHECK(faults_of(*m).total() == 0);
}

}  // namespace

TEST_CASE("the linker knows no entry that the planner doesn't") {
  check(TMREC_PATCH_RELOCATED);
  check(TMREC_PATCH_RELOCATED_PIE);
}
