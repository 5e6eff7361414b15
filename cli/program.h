// What is going to be recorded: found as a shell finds it, and looked at before anything is started, so that a program
// that cannot be recorded costs one clear line and leaves no trace behind.
#pragma once

#include <filesystem>
#include <string>

#include "format/result.h"

namespace tmrec::cli {

// The file that execvp(3) would execute for `name`: a name with a slash is taken as it is, any other is looked for in
// `search_path` (colon separated; an empty element is the working directory; a null pointer stands for
// "/bin:/usr/bin"). Errors: NotFound (127) where no such file exists; NotExecutable (126) where one exists and cannot
// be executed.
Result<std::filesystem::path> find_program(const std::string& name, const char* search_path);

enum class ProgramKind {
  Elf,     // an x86-64 program
  Script,  // starts with #!
  Text,    // neither: execve refuses it unless binfmt_misc knows it; shells and execvp(3) hand it to /bin/sh
};

// What the file is. Error: NotExecutable for an ELF file of another class, machine or kind, saying which, for an empty
// file and for one that cannot be read.
Result<ProgramKind> check_program(const std::filesystem::path& program);

}  // namespace tmrec::cli
