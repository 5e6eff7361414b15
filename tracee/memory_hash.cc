#include "tracee/memory_hash.h"

#include <fcntl.h>
#include <unistd.h>
#include <xxhash.h>
#include <algorithm>
#include <cstring>

#include <fmt/format.h>

namespace tmrec::tracee {

namespace {

constexpr std::uint64_t kPresent = 1ull << 63;
constexpr std::uint64_t kSwapped = 1ull << 62;
constexpr std::uint64_t kFileOrShared = 1ull << 61;
constexpr std::size_t kChunk = std::size_t{1} << 20;
constexpr std::size_t kEntriesAtOnce = 8192;

bool all_zero(const std::uint8_t* page) { return page[0] == 0 && std::memcmp(page, page + 1, kPageSize - 1) == 0; }

}  // namespace

PresentPages::PresentPages(pid_t pid) : fd_(open(fmt::format("/proc/{}/pagemap", pid).c_str(), O_RDONLY | O_CLOEXEC)) {}

PresentPages::~PresentPages() {
  if (fd_ >= 0) close(fd_);
}

std::vector<PresentPages::Run> PresentPages::in(RemoteAddr start, RemoteAddr end) const {
  return runs(start, end, false);
}

std::vector<PresentPages::Run> PresentPages::private_in(RemoteAddr start, RemoteAddr end) const {
  return runs(start, end, true);
}

std::vector<PresentPages::Run> PresentPages::runs(RemoteAddr start, RemoteAddr end, bool private_only) const {
  std::vector<Run> found;
  std::vector<std::uint64_t> entries(kEntriesAtOnce);
  for (std::uint64_t at = start.value; at < end.value;) {
    std::size_t want = std::min<std::uint64_t>(kEntriesAtOnce, (end.value - at) / kPageSize);
    ssize_t n = fd_ < 0 ? -1 : pread(fd_, entries.data(), want * 8, static_cast<off_t>(at / kPageSize * 8));
    if (n < 8) {  // cannot know: everything counts
      found.push_back({RemoteAddr(at), end});
      return found;
    }
    for (std::size_t i = 0; i < static_cast<std::size_t>(n) / 8; ++i, at += kPageSize) {
      bool exists = (entries[i] & (kPresent | kSwapped)) != 0;
      if (!exists || (private_only && (entries[i] & kFileOrShared) != 0)) continue;
      if (!found.empty() && found.back().end.value == at) {
        found.back().end = RemoteAddr(at + kPageSize);
      } else {
        found.push_back({RemoteAddr(at), RemoteAddr(at + kPageSize)});
      }
    }
  }
  return found;
}

std::uint64_t hash_range(const RemoteMemory& memory, const PresentPages& present, RemoteAddr start, RemoteAddr end,
                         bool shared) {
  // Pages of a file that nobody wrote to come and go with the page cache, and count as nothing too.
  auto runs = shared ? std::vector<PresentPages::Run>{{start, end}} : present.private_in(start, end);
  std::uint64_t hash = 0;
  for (const auto& run : runs) {
    for (std::uint64_t at = run.start.value; at < run.end.value;) {
      std::size_t size = std::min<std::uint64_t>(kChunk, run.end.value - at);
      Bytes bytes = memory.read_some(RemoteAddr(at), size);
      for (std::size_t i = 0; i + kPageSize <= bytes.size(); i += kPageSize) {
        if (all_zero(&bytes[i])) continue;
        hash = hash * 0x9e3779b97f4a7c15ull + XXH3_64bits_withSeed(&bytes[i], kPageSize, at + i - start.value);
      }
      if (bytes.size() < size) {  // a page past the end of the object (SIGBUS): skip it
        at = page_down(at + bytes.size()) + kPageSize;
      } else {
        at += size;
      }
    }
  }
  return hash;
}

}  // namespace tmrec::tracee
