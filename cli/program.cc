#include "cli/program.h"

#include <elf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <optional>
#include <string_view>

namespace tmrec::cli {
namespace {

// Why execve would refuse the file, before its content is looked at.
Result<> executable_file(const std::filesystem::path& file) {
  struct stat st{};
  if (::stat(file.c_str(), &st) != 0) {
    const bool missing = errno == ENOENT || errno == ENOTDIR;
    return fail_errno("cannot record " + file.string(), errno,
                      missing ? ErrorKind::NotFound : ErrorKind::NotExecutable);
  }
  if (S_ISDIR(st.st_mode))
    return fail(ErrorKind::NotExecutable, fmt::format("cannot record {}: is a directory", file.string()));
  if (!S_ISREG(st.st_mode)) {
    return fail(ErrorKind::NotExecutable, fmt::format("cannot record {}: not a regular file", file.string()));
  }
  if (::faccessat(AT_FDCWD, file.c_str(), X_OK, AT_EACCESS) != 0) {
    return fail(ErrorKind::NotExecutable,
                fmt::format("cannot record {}: {} (is it executable? chmod +x, or the file system is mounted noexec)",
                            file.string(), std::strerror(errno)));
  }
  return {};
}

struct MachineName {
  Elf64_Half machine;
  std::string_view name;
};
constexpr std::array kMachines{
    MachineName{EM_386, "i386"},        MachineName{EM_AARCH64, "aarch64"}, MachineName{EM_ARM, "arm"},
    MachineName{EM_RISCV, "riscv"},     MachineName{EM_PPC64, "ppc64"},     MachineName{EM_PPC, "ppc"},
    MachineName{EM_S390, "s390"},       MachineName{EM_MIPS, "mips"},       MachineName{EM_LOONGARCH, "loongarch"},
    MachineName{EM_SPARCV9, "sparc64"}, MachineName{EM_X86_64, "x86-64"},
};

std::string machine_name(Elf64_Half machine) {
  for (const MachineName& known : kMachines) {
    if (known.machine == machine) return std::string(known.name);
  }
  return fmt::format("machine {}", machine);
}

}  // namespace

Result<std::filesystem::path> find_program(const std::string& name, const char* search_path) {
  if (name.empty()) return fail(ErrorKind::NotFound, "cannot record '': the program has no name");
  if (name.find('/') != std::string::npos) {
    TMREC_CHECKED(executable_file(name));
    return std::filesystem::path(name);
  }
  // execvp(3) goes on past files it may not execute, and reports them only when nothing better follows.
  std::optional<Error> refused;
  std::string_view rest = search_path != nullptr ? search_path : "/bin:/usr/bin";
  for (;;) {
    const std::size_t end = rest.find(':');
    const std::string_view element = rest.substr(0, end);
    const std::filesystem::path candidate = std::filesystem::path(element.empty() ? "." : element) / name;
    const Result<> usable = executable_file(candidate);
    if (usable) return candidate;
    if (usable.error().kind != ErrorKind::NotFound && !refused) refused = usable.error();
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  if (refused) return std::unexpected(*refused);
  return fail(ErrorKind::NotFound, fmt::format("{}: command not found (no such program in PATH)", name));
}

Result<ProgramKind> check_program(const std::filesystem::path& program) {
  const int fd = ::open(program.c_str(), O_RDONLY | O_CLOEXEC);
  // A program may be executable and not readable; the kernel then makes it undumpable, and nobody may trace it.
  if (fd < 0) {
    return fail_errno(fmt::format("cannot record {}: recording needs to read the program", program.string()), errno,
                      ErrorKind::NotExecutable);
  }
  Elf64_Ehdr header{};
  const ssize_t got = ::pread(fd, &header, sizeof header, 0);
  ::close(fd);
  const auto refuse = [&](std::string_view why) {
    return fail(ErrorKind::NotExecutable, fmt::format("cannot record {}: {}", program.string(), why));
  };
  if (got < 0) return refuse(std::strerror(errno));
  if (got == 0) return refuse("the file is empty");
  if (got >= 2 && std::memcmp(header.e_ident, "#!", 2) == 0) return ProgramKind::Script;
  if (got < SELFMAG || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return ProgramKind::Text;
  if (got < EI_NIDENT + 4) return refuse("a truncated ELF file");
  // e_type and e_machine have the same place in both ELF classes.
  const std::string machine = machine_name(header.e_machine);
  if (header.e_ident[EI_CLASS] == ELFCLASS32) {
    return refuse(header.e_machine == EM_X86_64
                      ? "an x32 program; tmrec records 64-bit x86-64 programs"
                      : fmt::format("a 32-bit program ({}); tmrec records 64-bit x86-64 programs", machine));
  }
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
      header.e_machine != EM_X86_64) {
    return refuse(fmt::format("a program for {}; tmrec records 64-bit x86-64 programs", machine));
  }
  if (got < static_cast<ssize_t>(sizeof header)) return refuse("a truncated ELF file");
  if (header.e_type != ET_EXEC && header.e_type != ET_DYN)
    return refuse("an ELF file that is no program (object or core file)");
  // As load_elf_phdrs in fs/binfmt_elf.c; execvp(3) would let a shell interpret a file that fails there.
  if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum == 0) {
    return refuse("a damaged ELF file (no program headers)");
  }
  return ProgramKind::Elf;
}

}  // namespace tmrec::cli
