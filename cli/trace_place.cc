#include "cli/trace_place.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "format/file_io.h"
#include "format/manifest.h"
#include "format/trace_dir.h"

namespace tmrec::cli {
namespace fs = std::filesystem;
namespace {

std::optional<fs::path> from_environment(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr || *value == '\0') return std::nullopt;
  return fs::path(value);
}

// Whether a trace could be created in `dir`, which need not exist yet.
bool usable(const fs::path& dir) {
  std::error_code error;
  fs::path existing = dir;
  while (!fs::exists(existing, error) && existing.has_relative_path()) existing = existing.parent_path();
  if (existing.empty()) existing = ".";
  return fs::is_directory(existing, error) && ::faccessat(AT_FDCWD, existing.c_str(), W_OK | X_OK, AT_EACCESS) == 0;
}

// A directory in the temporary directory can be planted by anybody; only one that belongs to us and is closed to others
// may hold a recording.
Result<fs::path> private_temporary() {
  const fs::path dir = from_environment("TMPDIR").value_or("/tmp") / fmt::format("tmrec-{}", ::geteuid());
  struct stat st{};
  if (::lstat(dir.c_str(), &st) != 0) return dir;
  if (!S_ISDIR(st.st_mode) || st.st_uid != ::geteuid() || (st.st_mode & 077) != 0) {
    return fail(ErrorKind::System,
                fmt::format("{} is not a private directory of yours; set TMREC_TRACE_DIR to where traces should go",
                            dir.string()));
  }
  return dir;
}

// The N of "STEM-N"; nothing for other names.
std::optional<std::uint64_t> number_of(std::string_view name, std::string_view stem) {
  if (name.size() <= stem.size() + 1 || !name.starts_with(stem) || name[stem.size()] != '-') return std::nullopt;
  const std::string_view digits = name.substr(stem.size() + 1);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return number;
}

Result<std::uint64_t> greatest_number(const fs::path& base, const std::string& stem) {
  std::uint64_t greatest = 0;
  std::error_code error;
  for (fs::directory_iterator entry(base, error), end; !error && entry != end; entry.increment(error)) {
    greatest = std::max(greatest, number_of(entry->path().filename().string(), stem).value_or(0));
  }
  if (error) return fail(ErrorKind::System, fmt::format("cannot read {}: {}", base.string(), error.message()));
  return greatest;
}

fs::path reservation_file(const fs::path& trace) {
  return trace.parent_path() / fmt::format(".{}.reserved", trace.filename().string());
}

// Nothing: the place is taken.
Result<std::optional<Reservation>> try_reserve(const fs::path& trace) {
  const fs::path file = reservation_file(trace);
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return fail_errno("cannot create a trace in " + trace.parent_path().string());
  std::optional<Reservation> reservation;
  // The former owner may have removed the file between our open and our lock.
  struct stat st{};
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0 || ::fstat(fd, &st) != 0 || st.st_nlink == 0) {
    ::close(fd);
    return reservation;
  }
  reservation.emplace(trace, file, fd);
  std::error_code error;
  if (fs::exists(fs::symlink_status(trace, error))) reservation.reset();
  return reservation;
}

// Replaces a symbolic link in one step, so that no reader finds none.
Result<> replace_link(const fs::path& link, const std::string& target) {
  const fs::path fresh = fmt::format("{}.{}", link.string(), ::getpid());
  ::unlink(fresh.c_str());
  if (::symlink(target.c_str(), fresh.c_str()) != 0) return fail_errno("cannot create the link " + fresh.string());
  if (::rename(fresh.c_str(), link.c_str()) != 0) {
    const int err = errno;
    ::unlink(fresh.c_str());
    return fail_errno("cannot set the link " + link.string(), err);
  }
  return {};
}

std::optional<std::string> link_target(const fs::path& link) {
  std::error_code error;
  const fs::path target = fs::read_symlink(link, error);
  if (error) return std::nullopt;
  return target.string();
}

}  // namespace

Result<fs::path> base_directory() {
  if (const auto dir = from_environment("TMREC_TRACE_DIR")) return *dir;
  if (const auto dir = from_environment("XDG_DATA_HOME")) return *dir / "tmrec";
  if (const auto home = from_environment("HOME"); home && usable(*home / ".local/share/tmrec")) {
    return *home / ".local/share/tmrec";
  }
  if (usable("/var/lib/tmrec")) return fs::path("/var/lib/tmrec");
  return private_temporary();
}

fs::path blob_directory(const fs::path& trace) {
  if (const auto dir = from_environment("TMREC_BLOB_DIR")) return *dir;
  const fs::path plain = trace.has_filename() ? trace : trace.parent_path();  // "dir/" is "dir"
  return plain.has_parent_path() ? plain.parent_path() / "blobs" : fs::path("blobs");
}

Result<fs::path> recorded_blob_directory(const fs::path& trace) {
  TMREC_TRY(const TraceDir dir, TraceDir::open(trace));
  TMREC_TRY(const Manifest manifest, Manifest::load(trace));
  const fs::path recorded = dir.blob_root(manifest.blob_root);
  std::error_code error;
  return fs::is_directory(recorded, error) ? recorded : blob_directory(trace);
}

std::string trace_stem(const std::string& program) {
  constexpr std::size_t kLongest = 64;
  constexpr std::string_view kPlain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+-";
  std::string stem = program.substr(program.find_last_of('/') + 1).substr(0, kLongest);
  for (char& c : stem) {
    if (kPlain.find(c) == std::string_view::npos) c = '_';
  }
  if (stem.empty()) return "program";
  if (stem.front() == '.' || stem.front() == '-') stem.front() = '_';
  return stem;
}

Reservation::Reservation(fs::path trace, fs::path file, int fd)
    : trace_(std::move(trace)), file_(std::move(file)), fd_(fd) {}

Reservation::Reservation(Reservation&& other) noexcept
    : trace_(std::move(other.trace_)), file_(std::move(other.file_)), fd_(std::exchange(other.fd_, -1)) {}

Reservation::~Reservation() {
  if (fd_ < 0) return;
  ::unlink(file_.c_str());
  ::close(fd_);
}

bool being_recorded(const fs::path& trace) {
  const int fd = ::open(reservation_file(trace).c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return false;
  const bool held = ::flock(fd, LOCK_SH | LOCK_NB) != 0;
  ::close(fd);
  return held;
}

Result<Reservation> reserve_at(const fs::path& trace) {
  TMREC_CHECKED(make_directories(trace.parent_path()));
  TMREC_TRY(std::optional<Reservation> reservation, try_reserve(trace));
  if (!reservation) {
    return fail(ErrorKind::Usage,
                fmt::format("{} exists already; a recording needs a directory that it creates itself", trace.string()));
  }
  return std::move(*reservation);
}

Result<Reservation> reserve(const fs::path& base, const std::string& stem) {
  TMREC_CHECKED(make_directories(base));
  TMREC_TRY(const std::uint64_t greatest, greatest_number(base, stem));
  constexpr std::uint64_t kTries = 10'000;  // more recordings than that do not start at once: locks do not work here
  for (std::uint64_t number = greatest + 1; number <= greatest + kTries; ++number) {
    TMREC_TRY(std::optional<Reservation> reservation, try_reserve(base / fmt::format("{}-{}", stem, number)));
    if (reservation) return std::move(*reservation);
  }
  return fail(ErrorKind::System, fmt::format("cannot lock a trace name in {}", base.string()));
}

Result<std::optional<std::string>> point_latest(const fs::path& base, const std::string& name) {
  std::optional<std::string> before = link_target(base / "latest");
  TMREC_CHECKED(replace_link(base / "latest", name));
  return before;
}

void unpoint_latest(const fs::path& base, const std::string& name, const std::optional<std::string>& before) {
  const fs::path latest = base / "latest";
  if (link_target(latest) != name) return;
  if (!before || !replace_link(latest, *before)) ::unlink(latest.c_str());
}

Result<fs::path> find_trace(const std::string& name) {
  std::error_code error;
  fs::path place;
  std::string what;
  if (name.find('/') != std::string::npos || (!name.empty() && fs::is_directory(name, error))) {
    place = name;
    what = fmt::format("there is no trace {}", name);
  } else {
    TMREC_TRY(const fs::path base, base_directory());
    place = base / (name.empty() ? "latest" : name);
    what = name.empty() ? fmt::format("there is no trace in {} yet; record one with: tmrec record PROG", base.string())
                        : fmt::format("there is no trace {} in {} (tmrec ls lists them)", name, base.string());
  }
  if (!fs::exists(place, error)) return fail(ErrorKind::BadTrace, what);
  if (!fs::is_directory(place, error))
    return fail(ErrorKind::BadTrace, fmt::format("{} is not a trace: neither a directory nor a pack", place.string()));
  const fs::path resolved = fs::canonical(place, error);
  if (error) return fail(ErrorKind::BadTrace, fmt::format("cannot open {}: {}", place.string(), error.message()));
  return resolved;
}

Result<std::vector<fs::path>> traces_in(const fs::path& base) {
  std::vector<fs::path> traces;
  std::error_code error;
  if (!fs::exists(base, error)) return traces;
  for (fs::directory_iterator entry(base, error), end; !error && entry != end; entry.increment(error)) {
    std::error_code ignored;
    if (entry->is_directory(ignored) && !entry->is_symlink(ignored) &&
        fs::exists(entry->path() / "manifest.json", ignored)) {
      traces.push_back(entry->path());
    }
  }
  if (error) return fail(ErrorKind::System, fmt::format("cannot read {}: {}", base.string(), error.message()));
  std::ranges::sort(traces);
  return traces;
}

}  // namespace tmrec::cli
