#include "tracee/patch/elf_image.h"

#include <elf.h>

#include <algorithm>

namespace tmrec::patch {

namespace {

// [offset, offset + size) of `file`, or nothing when it isn't all there.
Bytes part(Bytes file, std::uint64_t offset, std::uint64_t size) {
  if (offset > file.size() || size > file.size() - offset) return {};
  return file.subspan(offset, size);
}

std::string_view name_at(Bytes table, std::uint32_t offset) {
  if (offset >= table.size()) return {};
  auto rest = table.subspan(offset);
  auto end = std::find(rest.begin(), rest.end(), 0);
  if (end == rest.end()) return {};
  return {reinterpret_cast<const char*>(rest.data()), static_cast<std::size_t>(end - rest.begin())};
}

// At most `limit` bytes.
Bytes first(Bytes bytes, std::uint64_t limit) { return bytes.first(std::min<std::uint64_t>(bytes.size(), limit)); }

}  // namespace

Result<ElfImage> ElfImage::parse(Bytes file) {
  ElfImage image;
  image.file_ = file;
  if (file.size() < sizeof(Elf64_Ehdr)) return fail(ErrorKind::System, "not an ELF file: too short");
  auto header = Reader(file).get<Elf64_Ehdr>();
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
      header.e_ident[EI_DATA] != ELFDATA2LSB || header.e_machine != EM_X86_64) {
    return fail(ErrorKind::System, "not an ELF file for x86-64");
  }
  if (header.e_type != ET_DYN && header.e_type != ET_EXEC)
    return fail(ErrorKind::System, "neither program nor library");
  image.position_independent_ = header.e_type == ET_DYN;
  image.entry_ = header.e_entry;
  TMREC_CHECKED(image.read_segments());
  image.read_sections();
  image.read_dynamic();
  return image;
}

Result<void> ElfImage::read_segments() {
  auto header = Reader(file_).get<Elf64_Ehdr>();
  if (header.e_phentsize != sizeof(Elf64_Phdr)) return fail(ErrorKind::System, "ELF program headers of unknown size");
  Bytes table = part(file_, header.e_phoff, std::uint64_t{header.e_phnum} * sizeof(Elf64_Phdr));
  for (Reader in(table); !in.at_end();) {
    auto p = in.get<Elf64_Phdr>();
    if (p.p_offset > file_.size() || p.p_filesz > file_.size() - p.p_offset) continue;
    if (p.p_vaddr > INT64_MAX || p.p_memsz > INT64_MAX - p.p_vaddr || p.p_filesz > p.p_memsz) continue;
    segments_.push_back({p.p_type, p.p_flags, p.p_offset, p.p_vaddr, p.p_filesz, p.p_memsz});
  }
  if (segments_.empty()) return fail(ErrorKind::System, "ELF file without usable program headers");
  return {};
}

void ElfImage::read_sections() {
  auto header = Reader(file_).get<Elf64_Ehdr>();
  if (header.e_shentsize != sizeof(Elf64_Shdr)) return;
  Bytes table = part(file_, header.e_shoff, std::uint64_t{header.e_shnum} * sizeof(Elf64_Shdr));
  std::vector<Elf64_Shdr> headers;
  for (Reader in(table); !in.at_end();) headers.push_back(in.get<Elf64_Shdr>());
  Bytes names;
  if (header.e_shstrndx < headers.size()) {
    names = part(file_, headers[header.e_shstrndx].sh_offset, headers[header.e_shstrndx].sh_size);
  }
  for (const auto& h : headers) {
    Bytes bytes =
        h.sh_type == SHT_NOBITS || (h.sh_flags & SHF_COMPRESSED) ? Bytes{} : part(file_, h.sh_offset, h.sh_size);
    sections_.push_back({name_at(names, h.sh_name), h.sh_type, h.sh_flags, h.sh_addr, bytes});
    if (h.sh_type == SHT_SYMTAB || h.sh_type == SHT_DYNSYM) read_symbols(bytes, h.sh_type == SHT_DYNSYM);
  }
}

void ElfImage::read_symbols(Bytes table, bool exported) {
  for (Reader in(first(table, table.size() / sizeof(Elf64_Sym) * sizeof(Elf64_Sym))); !in.at_end();) {
    auto s = in.get<Elf64_Sym>();
    if (s.st_shndx == SHN_UNDEF || ELF64_ST_TYPE(s.st_info) == STT_TLS) continue;
    symbols_.push_back({s.st_value, s.st_size, static_cast<std::uint8_t>(ELF64_ST_TYPE(s.st_info)),
                        exported && ELF64_ST_BIND(s.st_info) != STB_LOCAL});
  }
}

void ElfImage::read_dynamic() {
  auto dynamic = std::find_if(segments_.begin(), segments_.end(), [](auto& s) { return s.type == PT_DYNAMIC; });
  if (dynamic == segments_.end()) return;
  std::uint64_t tag[DT_NUM] = {}, relr = 0, relr_size = 0, version_of = 0, needed = 0, needed_count = 0;
  constexpr std::uint64_t kRelr = 36,
                          kRelrSize = 35;  // gABI draft "Relative Relocation Table"; elf.h of old has no name
  Bytes table = part(file_, dynamic->offset, dynamic->file_size / sizeof(Elf64_Dyn) * sizeof(Elf64_Dyn));
  for (Reader in(table); !in.at_end();) {
    auto d = in.get<Elf64_Dyn>();
    if (d.d_tag == DT_NULL) break;
    auto number = static_cast<std::uint64_t>(d.d_tag);
    if (number == kRelr) relr = d.d_un.d_ptr;
    if (number == kRelrSize) relr_size = d.d_un.d_val;
    if (number == DT_VERSYM) version_of = d.d_un.d_ptr;
    if (number == DT_VERNEED) needed = d.d_un.d_ptr;
    if (number == DT_VERNEEDNUM) needed_count = d.d_un.d_val;
    if (number < DT_NUM) tag[number] = d.d_un.d_val;
  }
  // The dynamic symbol table has no size of its own; by custom its string table follows it.
  Bytes symbols = from(tag[DT_SYMTAB]);
  if (tag[DT_STRTAB] > tag[DT_SYMTAB]) symbols = first(symbols, tag[DT_STRTAB] - tag[DT_SYMTAB]);
  if (tag[DT_SYMTAB] != 0 && sections_.empty()) read_symbols(symbols, true);
  read_versions(needed, needed_count, tag[DT_STRTAB]);
  const Bytes versions = from(version_of);
  read_rela(first(from(tag[DT_RELA]), tag[DT_RELASZ]), symbols, versions);
  read_rela(first(from(tag[DT_JMPREL]), tag[DT_PLTRELSZ]), symbols, versions);
  read_relr(first(from(relr), relr_size));
}

// Of the files needed, and of each the versions (gABI extension of GNU: Linux Standard Base, "Symbol Versioning").
void ElfImage::read_versions(Va needed, std::uint64_t count, Va strings) {
  constexpr std::uint64_t kMost = 4096;
  const Bytes names = from(strings);
  Va at = needed;
  for (std::uint64_t i = 0; i < std::min(count, kMost); ++i) {
    Reader entry(from(at));
    const auto file = entry.get<Elf64_Verneed>();
    if (!entry.ok()) return;
    Va auxiliary = at + file.vn_aux;
    for (std::uint64_t j = 0; j < std::min<std::uint64_t>(file.vn_cnt, kMost); ++j) {
      Reader version(from(auxiliary));
      const auto v = version.get<Elf64_Vernaux>();
      if (!version.ok()) return;
      versions_[v.vna_other & 0x7fff] = name_at(names, v.vna_name);  // the highest bit: hidden
      if (v.vna_next == 0) break;
      auxiliary += v.vna_next;
    }
    if (file.vn_next == 0) return;
    at += file.vn_next;
  }
}

void ElfImage::read_rela(Bytes table, Bytes symbols, Bytes versions) {
  for (Reader in(first(table, table.size() / sizeof(Elf64_Rela) * sizeof(Elf64_Rela))); !in.at_end();) {
    auto r = in.get<Elf64_Rela>();
    auto value = static_cast<std::uint64_t>(r.r_addend);
    std::string_view version;
    if (std::uint64_t index = ELF64_R_SYM(r.r_info); index != 0) {
      Reader symbol(symbols, std::min<std::uint64_t>(index * sizeof(Elf64_Sym), symbols.size()));
      value += symbol.get<Elf64_Sym>().st_value;
      Reader number(versions, std::min<std::uint64_t>(index * sizeof(Elf64_Half), versions.size()));
      const auto known = versions_.find(number.get<Elf64_Half>() & 0x7fff);
      if (number.ok() && known != versions_.end()) version = known->second;
    }
    relocations_.push_back({r.r_offset, static_cast<std::uint32_t>(ELF64_R_TYPE(r.r_info)), value, version});
  }
}

void ElfImage::read_relr(Bytes table) {
  auto relocate = [this](Va va) {
    Reader word(from(va));
    auto value = word.get<std::uint64_t>();
    if (word.ok()) relocations_.push_back({va, R_X86_64_RELATIVE, value, {}});
  };
  Va next = 0;
  for (Reader in(first(table, table.size() / 8 * 8)); !in.at_end();) {
    auto entry = in.get<std::uint64_t>();
    if ((entry & 1) == 0) {
      relocate(entry);
      next = entry + 8;
      continue;
    }
    for (unsigned bit = 1; bit < 64; ++bit) {
      if (entry >> bit & 1) relocate(next + (bit - 1) * 8);
    }
    next += 63 * 8;
  }
}

const Section* ElfImage::section(std::string_view name) const {
  for (const auto& s : sections_) {
    if (s.name == name) return &s;
  }
  return nullptr;
}

Bytes ElfImage::from(Va va) const {
  for (const auto& s : segments_) {
    if (s.type == PT_LOAD && va >= s.va && va - s.va < s.file_size) {
      return file_.subspan(s.offset + (va - s.va), s.file_size - (va - s.va));
    }
  }
  return {};
}

}  // namespace tmrec::patch
