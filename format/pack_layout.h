// The tar archive inside a pack: headers of POSIX.1-1988 ("ustar", pax(1) in POSIX.1-2017, "ustar Interchange Format").
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace tmrec::pack {

inline constexpr std::size_t kBlock = 512;
inline constexpr const char* kListName = "pack";
inline constexpr const char* kListHead = "tmrec-pack 1\n";
inline constexpr std::uint64_t kLongestList = std::uint64_t{16} << 20;

// All text fields are ASCII, numbers octal digits ended by a NUL or a blank.
struct TarHeader {
  char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100];
  char magic[6], version[2], user[32], group[32], device_major[8], device_minor[8];
  char prefix[155], padding[12];
};
static_assert(sizeof(TarHeader) == kBlock);

inline constexpr char kRegular = '0', kDirectory = '5';

// `prefix`/`name`; a name without a prefix when that is empty. Both must fit.
TarHeader tar_header(const std::string& prefix, const std::string& name, char type, std::uint64_t size);

struct TarEntry {
  std::string path;  // with its prefix
  char type;
  std::uint64_t size;
};
// nullopt: damaged.
std::optional<TarEntry> read_header(const TarHeader& header);

// Bytes behind a file's content up to the next header.
constexpr std::size_t padding_behind(std::uint64_t size) { return (kBlock - size % kBlock) % kBlock; }

}  // namespace tmrec::pack
