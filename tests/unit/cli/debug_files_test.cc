#include "cli/debug_files.h"

#include <doctest/doctest.h>
#include <elf.h>

#include <cstring>
#include <string>

#include "tests/unit/cli/scratch.h"

namespace tmrec::cli {
namespace {

template <class T>
void append(std::string& file, const T& value) {
  file.append(reinterpret_cast<const char*>(&value), sizeof value);
}

// An ELF file with one segment of notes: one of another owner, then the build id.
std::string elf_with_id(const std::string& id, std::uint64_t notes_size) {
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_phoff = sizeof header;
  header.e_phnum = 1;
  header.e_phentsize = sizeof(Elf64_Phdr);
  Elf64_Phdr segment{};
  segment.p_type = PT_NOTE;
  segment.p_offset = sizeof header + sizeof segment;
  segment.p_filesz = notes_size;
  std::string file;
  append(file, header);
  append(file, segment);
  append(file, Elf64_Nhdr{5, 3, 7});
  file += std::string("Other\0\0\0abc\0", 12);
  append(file, Elf64_Nhdr{4, static_cast<Elf64_Word>(id.size()), NT_GNU_BUILD_ID});
  return file + std::string("GNU\0", 4) + id;
}

}  // namespace

TEST_CASE("a build id is found behind other notes, and names a debug file") {
  const Scratch scratch;
  const std::string elf = elf_with_id("\xab\xcd\xef\x01", 44);
  CHECK(build_id_of(scratch.file("good", elf)) == "abcdef01");
  CHECK(debug_name("abcdef01") == "ab/cdef01.debug");
  CHECK(build_id_of("/proc/self/exe").has_value());
  CHECK_FALSE(installed_debug_file("00000000000000000000"));
}

TEST_CASE("what is no ELF file, or a damaged one, has no build id") {
  const Scratch scratch;
  const std::string elf = elf_with_id("\xab\xcd\xef\x01", 44);
  CHECK_FALSE(build_id_of(scratch.root / "missing"));
  CHECK_FALSE(build_id_of(scratch.root));
  CHECK_FALSE(build_id_of(scratch.file("text", "#!/bin/sh\n")));
  for (std::size_t size = 0; size < elf.size(); ++size)
    CHECK_FALSE(build_id_of(scratch.file("short", elf.substr(0, size))));
  CHECK_FALSE(build_id_of(scratch.file("notes", elf_with_id("\xab\xcd\xef\x01", 43))));
  CHECK_FALSE(build_id_of(scratch.file("huge", elf_with_id("\xab\xcd\xef\x01", ~std::uint64_t{0}))));
  CHECK_FALSE(build_id_of(scratch.file("long", elf_with_id(std::string(65, 'x'), 108))));
}

}  // namespace tmrec::cli
