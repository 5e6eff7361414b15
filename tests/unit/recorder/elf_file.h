// Small ELF files made for tests: headers, a dynamic section and its strings, and nothing to execute.
#pragma once

#include <elf.h>

#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace tmrec::recorder {

struct ElfFile {
  std::string interpreter;
  std::vector<std::pair<Elf64_Sxword, std::string>> strings;  // DT_NEEDED, DT_RUNPATH, DT_RPATH

  // Addresses are offsets in the file plus kBias.
  static constexpr std::uint64_t kBias = 0x10000;

  std::string bytes() const {
    std::string table(1, '\0');
    std::vector<Elf64_Dyn> dynamic;
    for (const auto& [tag, text] : strings) {
      dynamic.push_back({tag, {table.size()}});
      table += text + '\0';
    }
    const std::uint64_t dynamic_at = sizeof(Elf64_Ehdr) + 4 * sizeof(Elf64_Phdr);
    const std::uint64_t table_at = dynamic_at + (dynamic.size() + 3) * sizeof(Elf64_Dyn);
    const std::uint64_t interpreter_at = table_at + table.size(), size = interpreter_at + interpreter.size() + 1;
    dynamic.push_back({DT_STRTAB, {table_at + kBias}});
    dynamic.push_back({DT_STRSZ, {table.size()}});
    dynamic.push_back({DT_NULL, {0}});
    Elf64_Ehdr header{};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_type = ET_DYN;
    header.e_machine = EM_X86_64;
    header.e_phoff = sizeof header;
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = 4;
    const Elf64_Phdr segments[4] = {
        {PT_LOAD, PF_R, 0, kBias, kBias, size, size, 0x1000},
        {PT_LOAD, PF_R | PF_X, 0, kBias + 0x100000, kBias + 0x100000, 0x40, 0x40, 0x1000},
        {PT_DYNAMIC, PF_R, dynamic_at, dynamic_at + kBias, 0, dynamic.size() * sizeof(Elf64_Dyn), 0, 8},
        {Elf64_Word{interpreter.empty() ? 0u : PT_INTERP}, PF_R, interpreter_at, 0, 0, interpreter.size() + 1, 0, 1},
    };
    std::string out(reinterpret_cast<const char*>(&header), sizeof header);
    out.append(reinterpret_cast<const char*>(segments), sizeof segments);
    out.append(reinterpret_cast<const char*>(dynamic.data()), dynamic.size() * sizeof(Elf64_Dyn));
    return out + table + interpreter + '\0';
  }
};

}  // namespace tmrec::recorder
