// Debug information in files of its own, found by the build id of what it belongs to ("Separate Debug Files" in the GDB
// manual).
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace tmrec::cli {

// The build id of an ELF file (NT_GNU_BUILD_ID), in hexadecimal; nullopt: it has none, or is no ELF file.
std::optional<std::string> build_id_of(const std::filesystem::path& file);

// "ab/cdef.debug" for the build id "abcdef": its place below /usr/lib/debug/.build-id, and below `debug` in a pack.
std::string debug_name(const std::string& build_id);

// The file there, if this machine has it.
std::optional<std::filesystem::path> installed_debug_file(const std::string& build_id);

}  // namespace tmrec::cli
