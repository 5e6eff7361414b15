// The place where traces go: can it be written, does its file system share file contents (FICLONE, ioctl_ficlone(2)),
// is there room.

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "cli/probe.h"
#include "cli/quantity.h"

namespace tmrec::cli {
namespace fs = std::filesystem;
namespace {

constexpr std::uint64_t kLittleSpace = 1ull << 30;

fs::path nearest_existing(fs::path dir) {
  std::error_code error;
  while (!fs::exists(dir, error) && dir.has_relative_path()) dir = dir.parent_path();
  return dir.empty() ? fs::path(".") : dir;
}

// An unnamed file: nothing is left behind, whatever happens.
int scratch_file(const fs::path& dir) { return ::open(dir.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600); }

// 0, or the errno of making a directory in `dir`. Permission bits alone do not tell: /proc has them all for root.
int try_directory(const fs::path& dir) {
  std::string pattern = (dir / ".tmrec-doctor-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) return errno;
  ::rmdir(pattern.c_str());
  return 0;
}

Probe probe_directory(const fs::path& traces, const fs::path& existing) {
  const int err = try_directory(existing);
  Probe probe{.name = "directory", .ok = err == 0, .needed = true, .meaning = {}, .advice = {}};
  if (probe.ok) {
    probe.meaning = fmt::format("traces go to {}", traces.string());
  } else {
    probe.meaning = fmt::format("traces cannot be written to {}: {}", traces.string(), std::strerror(err));
    probe.advice = "set TMREC_TRACE_DIR to a directory of yours, or use record -o DIR";
  }
  return probe;
}

Probe probe_clone(const fs::path& existing) {
  Probe probe{.name = "clone", .ok = false, .needed = false, .meaning = {}, .advice = {}};
  const int from = scratch_file(existing);
  const int to = scratch_file(existing);
  const char byte = 0;
  if (from >= 0 && to >= 0 && ::pwrite(from, &byte, 1, 0) == 1) probe.ok = ::ioctl(to, FICLONE, from) == 0;
  for (const int fd : {from, to}) {
    if (fd >= 0) ::close(fd);
  }
  probe.meaning = probe.ok ? "the file system shares file contents (FICLONE): mapped files cost traces no space"
                           : "the file system shares no file contents (FICLONE): each mapped file is copied once";
  if (!probe.ok)
    probe.advice = "to save the space, put traces on btrfs or xfs (reflink=1), on the same file system as the programs";
  return probe;
}

Probe probe_space(const fs::path& existing) {
  Probe probe{.name = "space", .ok = false, .needed = false, .meaning = {}, .advice = {}};
  struct statvfs info{};
  if (::statvfs(existing.c_str(), &info) != 0) {
    probe.meaning = fmt::format("the free space is not known: {}", std::strerror(errno));
    return probe;
  }
  const std::uint64_t free = static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
  probe.ok = free >= kLittleSpace;
  probe.meaning = fmt::format("{} free for traces", show_size(free));
  if (!probe.ok)
    probe.advice = "a recording ends when the disk is full: remove traces (tmrec ls, tmrec rm), or set TMREC_TRACE_DIR";
  return probe;
}

}  // namespace

std::vector<Probe> probe_storage(const fs::path& traces) {
  const fs::path existing = nearest_existing(traces);
  return {probe_directory(traces, existing), probe_clone(existing), probe_space(existing)};
}

}  // namespace tmrec::cli
