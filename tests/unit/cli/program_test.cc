#include "cli/program.h"

#include <doctest/doctest.h>
#include <elf.h>

#include <cstring>

#include "tests/unit/cli/scratch.h"

namespace tmrec::cli {
namespace fs = std::filesystem;
namespace {

std::string elf(unsigned char elf_class, Elf64_Half machine, Elf64_Half type, unsigned char data = ELFDATA2LSB,
                Elf64_Half segments = 1) {
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = elf_class;
  header.e_ident[EI_DATA] = data;
  header.e_type = type;
  header.e_machine = machine;
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = segments;
  return {reinterpret_cast<const char*>(&header), sizeof header};
}

bool says(const Result<ProgramKind>& result, const char* text) {
  return !result && result.error().kind == ErrorKind::NotExecutable &&
         result.error().text.find(text) != std::string::npos;
}

}  // namespace

TEST_CASE("programs are told by their first bytes") {
  const Scratch dir;
  CHECK(check_program(dir.file("pie", elf(ELFCLASS64, EM_X86_64, ET_DYN))).value() == ProgramKind::Elf);
  CHECK(check_program(dir.file("static", elf(ELFCLASS64, EM_X86_64, ET_EXEC))).value() == ProgramKind::Elf);
  CHECK(check_program(dir.file("script", "#!/bin/sh\n")).value() == ProgramKind::Script);
  CHECK(check_program(dir.file("text", "echo hello\n")).value() == ProgramKind::Text);
  CHECK(check_program(dir.file("short", "#")).value() == ProgramKind::Text);
}

TEST_CASE("foreign programs are refused with what they are") {
  const Scratch dir;
  CHECK(says(check_program(dir.file("i386", elf(ELFCLASS32, EM_386, ET_EXEC))), "32-bit program (i386)"));
  CHECK(says(check_program(dir.file("x32", elf(ELFCLASS32, EM_X86_64, ET_EXEC))), "x32"));
  CHECK(says(check_program(dir.file("arm", elf(ELFCLASS64, EM_AARCH64, ET_DYN))), "aarch64"));
  CHECK(says(check_program(dir.file("big", elf(ELFCLASS64, EM_X86_64, ET_EXEC, ELFDATA2MSB))), "x86-64"));
  CHECK(says(check_program(dir.file("unknown", elf(ELFCLASS64, 999, ET_EXEC))), "machine 999"));
  CHECK(says(check_program(dir.file("object", elf(ELFCLASS64, EM_X86_64, ET_REL))), "object or core"));
  CHECK(says(check_program(dir.file("core", elf(ELFCLASS64, EM_X86_64, ET_CORE))), "object or core"));
  CHECK(says(check_program(dir.file("cut", elf(ELFCLASS64, EM_X86_64, ET_DYN).substr(0, 30))), "truncated"));
  CHECK(says(check_program(dir.file("magic",
                                    "\x7f"
                                    "ELF")),
             "truncated"));
  CHECK(says(check_program(dir.file("bare", elf(ELFCLASS64, EM_X86_64, ET_EXEC, ELFDATA2LSB, 0))), "damaged"));
  CHECK(says(check_program(dir.file("empty", "")), "empty"));
}

TEST_CASE("programs are found as execvp finds them") {
  const Scratch dir;
  const fs::path tool = dir.file("bin/tool", "#!/bin/sh\n", 0755);
  dir.file("early/tool", "not executable", 0644);
  fs::create_directories(dir.root / "directory/tool");
  const std::string path = (dir.root / "none").string() + ":" + (dir.root / "early").string() + ":" +
                           (dir.root / "directory").string() + ":" + (dir.root / "bin").string();
  CHECK(find_program("tool", path.c_str()).value() == tool);
  CHECK(find_program(tool.string(), "").value() == tool);
}

TEST_CASE("missing is 127, there but not executable is 126") {
  const Scratch dir;
  dir.file("plain", "text", 0644);
  fs::create_directories(dir.root / "sub");
  const std::string path = dir.root.string();
  const auto kind = [&](const std::string& name) { return find_program(name, path.c_str()).error().kind; };
  CHECK(kind("absent") == ErrorKind::NotFound);
  CHECK(kind("") == ErrorKind::NotFound);
  CHECK(kind(path + "/absent") == ErrorKind::NotFound);
  CHECK(kind(path + "/plain/below") == ErrorKind::NotFound);
  CHECK(kind("plain") == ErrorKind::NotExecutable);
  CHECK(kind("sub") == ErrorKind::NotExecutable);
  CHECK(kind(path) == ErrorKind::NotExecutable);
  CHECK(kind("/dev/null") == ErrorKind::NotExecutable);
}

}  // namespace tmrec::cli
