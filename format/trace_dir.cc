#include "format/trace_dir.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <string_view>

#include "format/file_io.h"

namespace tmrec {

namespace fs = std::filesystem;

Result<TraceDir> TraceDir::create(const fs::path& path) {
  // "x/" has the empty name and would be its own parent.
  const fs::path directory = path.has_filename() ? path : path.parent_path();
  if (directory.has_parent_path()) TMREC_CHECKED(make_directories(directory.parent_path()));
  if (::mkdir(directory.c_str(), 0700) == 0) return TraceDir(directory);
  if (errno == EEXIST)
    return fail(ErrorKind::Usage, directory.string() + ": exists already; choose another name for the trace");
  return fail_errno(directory.string());
}

Result<TraceDir> TraceDir::open(const fs::path& path) {
  struct stat st {};
  if (::stat(path.c_str(), &st) != 0) return fail_errno(path.string(), errno, ErrorKind::BadTrace);
  TraceDir dir(path);
  if (!S_ISDIR(st.st_mode) || (::stat(dir.manifest().c_str(), &st) != 0 && ::stat(dir.log().c_str(), &st) != 0))
    return fail(ErrorKind::BadTrace, path.string() + ": not a tmrec trace");
  return dir;
}

std::string TraceDir::snapshot_name(EventNo event, Tid process) {
  return fmt::format("snapshot-{}-{}.core", event.value, process.value);
}

Result<fs::path> TraceDir::snapshot(const std::string& name) const {
  const bool plain = std::ranges::all_of(
      name, [](unsigned char c) { return std::isalnum(c) != 0 || c == '-' || c == '.' || c == '_'; });
  if (!plain || !name.starts_with("snapshot-") || name.size() > 255)
    return fail(ErrorKind::BadTrace, path_.string() + ": names a snapshot that cannot be one");
  return path_ / name;
}

Result<void> TraceDir::sync() const {
  std::error_code error;
  for (fs::directory_iterator each(path_, error), end; !error && each != end; each.increment(error)) {
    if (!snapshot(each->path().filename().string())) continue;
    TMREC_TRY(const Fd file, open_file(each->path(), O_RDONLY | O_NOFOLLOW));
    if (::fsync(file.get()) != 0) return fail_errno(each->path().string());
  }
  if (error) return fail_errno(path_.string(), error.value());
  TMREC_TRY(const Fd directory, open_file(path_, O_RDONLY | O_DIRECTORY));
  if (::fsync(directory.get()) != 0) return fail_errno(path_.string());
  return {};
}

fs::path TraceDir::debug_file(const std::string& name) const {
  constexpr std::string_view kById = ".build-id/";
  // Not operator/, which an absolute right side would lead out of the trace.
  return path_.string() + "/debug/" + (name.starts_with(kById) ? name.substr(kById.size()) : name);
}

fs::path TraceDir::blob_root(const std::string& recorded) const {
  // operator/ keeps an absolute right side as it is.
  return (path_ / recorded).lexically_normal();
}

}  // namespace tmrec
