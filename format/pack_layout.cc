#include "format/pack_layout.h"

#include <fmt/format.h>

#include <cstring>

#include "format/pack.h"

namespace tmrec::pack {

namespace {

constexpr std::uint64_t kLargestOctal = (std::uint64_t{1} << 33) - 1;  // 11 digits

template <std::size_t N>
void put(char (&field)[N], const std::string& text) {
  std::memcpy(field, text.data(), std::min(text.size(), N));
}

template <std::size_t N>
std::string get(const char (&field)[N]) {
  return std::string(field, strnlen(field, N));
}

// The sum of all bytes, those of the field itself taken as blanks.
unsigned checksum_of(const TarHeader& header) {
  TarHeader blank = header;
  std::memset(blank.checksum, ' ', sizeof blank.checksum);
  unsigned sum = 0;
  for (const auto* byte = reinterpret_cast<const unsigned char*>(&blank);
       byte != reinterpret_cast<const unsigned char*>(&blank + 1); ++byte) {
    sum += *byte;
  }
  return sum;
}

template <std::size_t N>
std::optional<std::uint64_t> octal(const char (&field)[N]) {
  std::uint64_t value = 0;
  std::size_t digits = 0;
  for (; digits < N && field[digits] >= '0' && field[digits] <= '7'; ++digits) {
    value = value << 3 | static_cast<std::uint64_t>(field[digits] - '0');
  }
  if (digits == 0 || (digits < N && field[digits] != '\0' && field[digits] != ' ')) return std::nullopt;
  return value;
}

// Larger sizes as GNU tar, libarchive and others write them: the first bit set, then a big-endian number.
constexpr char kBinary = '\x80';

void put_size(TarHeader& header, std::uint64_t size) {
  if (size <= kLargestOctal) {
    put(header.size, fmt::format("{:011o}", size));
    return;
  }
  header.size[0] = kBinary;
  for (std::size_t i = 0; i < sizeof size; ++i)
    header.size[sizeof header.size - 1 - i] = static_cast<char>(size >> 8 * i);
}

std::optional<std::uint64_t> get_size(const TarHeader& header) {
  if (header.size[0] != kBinary) return octal(header.size);
  std::uint64_t size = 0;
  for (std::size_t i = 1; i < sizeof header.size; ++i) {
    if (i < sizeof header.size - sizeof size && header.size[i] != 0) return std::nullopt;
    size = size << 8 | static_cast<unsigned char>(header.size[i]);
  }
  return size;
}

}  // namespace

TarHeader tar_header(const std::string& prefix, const std::string& name, char type, std::uint64_t size) {
  TarHeader header{};
  put(header.name, name);
  put(header.mode, type == kDirectory ? "0000700" : "0000600");
  put(header.uid, "0000000");
  put(header.gid, "0000000");
  put_size(header, size);
  put(header.mtime, "00000000000");
  header.type = type;
  put(header.magic, "ustar");
  put(header.version, "00");
  put(header.device_major, "0000000");
  put(header.device_minor, "0000000");
  put(header.prefix, prefix);
  put(header.checksum, fmt::format("{:06o}", checksum_of(header)));
  header.checksum[7] = ' ';
  return header;
}

std::optional<TarEntry> read_header(const TarHeader& header) {
  const auto size = get_size(header), sum = octal(header.checksum);
  if (!size || !sum || *sum != checksum_of(header) || std::memcmp(header.magic, "ustar", sizeof header.magic) != 0) {
    return std::nullopt;
  }
  const std::string prefix = get(header.prefix);
  return TarEntry{prefix.empty() ? get(header.name) : prefix + "/" + get(header.name), header.type, *size};
}

}  // namespace tmrec::pack
