#include "tracee/memory_hash.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "format/xxh3.h"

namespace tmrec::tracee {

namespace {

constexpr std::uint64_t kPresent = 1ull << 63;
constexpr std::uint64_t kSwapped = 1ull << 62;
constexpr std::uint64_t kFileOrShared = 1ull << 61;
constexpr std::size_t kChunk = std::size_t{1} << 20;
constexpr std::size_t kEntriesAtOnce = 8192;

// PAGEMAP_SCAN of Linux 6.7 (include/uapi/linux/fs.h), which Debian 12's headers lack. It passes over what has no page
// tables, where pagemap has eight bytes to read for each page: a sanitizer's shadow spans terabytes.
struct ScanRegion {
  std::uint64_t start, end, categories;
};
struct ScanArgument {
  std::uint64_t size, flags, start, end, walk_end, regions, regions_size, max_pages;
  std::uint64_t category_inverted, category_mask, category_any_of, return_mask;
};
constexpr unsigned long kPagemapScan = _IOWR('f', 16, ScanArgument);
constexpr std::uint64_t kScanFile = 1 << 2, kScanPresent = 1 << 3, kScanSwapped = 1 << 4;  // PAGE_IS_*

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

bool PresentPages::scan(RemoteAddr start, RemoteAddr end, bool private_only, std::vector<Run>& found) const {
  std::vector<ScanRegion> regions(1024);
  for (std::uint64_t at = page_down(start.value); at < end.value;) {
    ScanArgument arg{};
    arg.size = sizeof arg;
    arg.start = at;
    arg.end = page_up(end.value);
    arg.regions = reinterpret_cast<std::uint64_t>(regions.data());
    arg.regions_size = regions.size();
    arg.category_any_of = arg.return_mask = kScanPresent | kScanSwapped;
    if (private_only) arg.category_mask = arg.category_inverted = kScanFile;
    int count = ioctl(fd_, kPagemapScan, &arg);
    if (count < 0 || arg.walk_end <= at) return false;
    for (int i = 0; i < count; ++i) {
      const RemoteAddr from(regions[static_cast<std::size_t>(i)].start), to(regions[static_cast<std::size_t>(i)].end);
      if (!found.empty() && found.back().end == from) {
        found.back().end = to;
      } else {
        found.push_back({from, to});
      }
    }
    at = arg.walk_end;
  }
  return true;
}

std::vector<PresentPages::Run> PresentPages::runs(RemoteAddr start, RemoteAddr end, bool private_only) const {
  std::vector<Run> found;
  if (fd_ >= 0 && scan(start, end, private_only, found)) return found;
  found.clear();
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
