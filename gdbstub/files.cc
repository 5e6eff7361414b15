// vFile packets (GDB manual, "Host I/O Packets"): the client reads the recorded program's files from the trace.
#include <sys/stat.h>

#include <algorithm>

#include "gdbstub/stub.h"

namespace tmrec::gdbstub {

namespace {

// Errors are those of the protocol's File-I/O extension.
constexpr const char *kNoEntry = "F-1,2", *kBadFile = "F-1,9", *kInvalid = "F-1,16", *kReadOnly = "F-1,1e";
constexpr std::size_t kMaxFiles = 256;

std::string number(std::uint64_t value, std::size_t bytes) {
  std::string big;
  for (std::size_t i = bytes; i-- > 0;) big += static_cast<char>(value >> (8 * i));
  return big;
}

// struct stat of the protocol ("struct stat" in the GDB manual): big-endian.
std::string described(std::uint64_t size) {
  constexpr std::uint64_t kMode = 0100444, kBlock = 512;
  return number(0, 4) + number(0, 4) + number(kMode, 4) + number(1, 4) + number(0, 4) + number(0, 4) + number(0, 4) +
         number(size, 8) + number(4096, 8) + number((size + kBlock - 1) / kBlock, 8) + number(0, 4) + number(0, 4) +
         number(0, 4);
}

}  // namespace

std::string Stub::file(std::string_view request) {
  Cursor cursor(request);
  if (cursor.skip("setfs:")) return "F0";
  if (cursor.skip("open:")) {
    const auto path = parse_hex_bytes(cursor.until(','));
    const auto flags = parse_hex_number(cursor.until(','));
    if (!path || !flags) return kInvalid;
    if ((*flags & 3) != 0) return kReadOnly;
    if (files_.size() >= kMaxFiles) return "F-1,18";
    const auto opened = target_.open(*path);
    if (!opened) return kNoEntry;
    files_[opened->handle] = *opened;
    return "F" + hex_number(static_cast<std::uint64_t>(opened->handle));
  }
  const bool reads = cursor.skip("pread:"), stats = !reads && cursor.skip("fstat:");
  const bool closes = !reads && !stats && cursor.skip("close:");
  if (!reads && !stats && !closes) return cursor.skip("readlink:") ? kNoEntry : cursor.skip("stat:") ? kNoEntry : "";
  const auto handle = parse_hex_number(cursor.until(','));
  const auto open = handle && *handle < INT32_MAX ? files_.find(static_cast<int>(*handle)) : files_.end();
  if (open == files_.end()) return kBadFile;
  if (closes) {
    target_.close(open->first);
    files_.erase(open);
    return "F0";
  }
  if (stats) {
    const std::string text = described(open->second.size);
    return "F" + hex_number(text.size()) + ";" + escape(text);
  }
  const auto count = parse_hex_number(cursor.until(',')), offset = parse_hex_number(cursor.rest());
  if (!count || !offset) return kInvalid;
  const auto bytes = target_.read(open->first, *offset,
                                  static_cast<std::size_t>(std::min<std::uint64_t>(*count, kMaxPacket / 2 - 32)));
  if (!bytes) return "F-1,5";
  return "F" + hex_number(bytes->size()) + ";" + escape(view(*bytes));
}

}  // namespace tmrec::gdbstub
