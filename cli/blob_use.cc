#include "cli/blob_use.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "cli/say.h"
#include "cli/trace_place.h"
#include "format/blob_store.h"
#include "format/core_file.h"
#include "format/log.h"

namespace tmrec::cli {
namespace fs = std::filesystem;
namespace {

constexpr const char* kList = "traces";
constexpr std::uint64_t kLongestList = 64 << 20;

bool is_trace(const fs::path& dir) {
  std::error_code error;
  return fs::exists(dir / "manifest.json", error) || fs::is_directory(dir / "log", error);
}

// The traces that may refer to blobs of the store.
Result<std::set<fs::path>> users_of(const fs::path& store) {
  std::set<fs::path> users;
  std::error_code error;
  if (fs::exists(store / kList, error)) {
    TMREC_TRY(const Bytes list, read_whole(store / kList, kLongestList, ErrorKind::System));
    for (auto begin = list.begin(); begin != list.end();) {
      const auto end = std::find(begin, list.end(), 0);
      const fs::path trace = fs::path(std::string(begin, end)).lexically_normal();
      if (is_trace(trace)) users.insert(trace);
      begin = end == list.end() ? end : end + 1;
    }
  }
  for (fs::directory_iterator entry(store.parent_path(), error), end; !error && entry != end; entry.increment(error)) {
    std::error_code ignored;
    if (!entry->is_symlink(ignored) && is_trace(entry->path())) users.insert(entry->path().lexically_normal());
  }
  if (error)
    return fail(ErrorKind::System, fmt::format("cannot read {}: {}", store.parent_path().string(), error.message()));
  return users;
}

Result<> write_list(const fs::path& store, const std::set<fs::path>& users) {
  Bytes list;
  for (const fs::path& user : users) {
    const std::string text = user.string();
    list.insert(list.end(), text.begin(), text.end());
    list.push_back(0);
  }
  return write_whole(store / kList, list);
}

void note(const MapSource& source, std::set<std::string>& used) {
  if (!source.blob.hex.empty()) used.insert(source.blob.hex);
}

Result<> snapshots_use(const fs::path& trace, std::set<std::string>& used) {
  std::error_code error;
  for (fs::directory_iterator entry(trace, error), end; !error && entry != end; entry.increment(error)) {
    if (entry->path().extension() != ".core") continue;
    TMREC_TRY(const Snapshot snapshot, read_core(entry->path()));
    for (const Mapping& mapping : snapshot.mappings) note(mapping.source, used);
  }
  if (error) return fail(ErrorKind::BadTrace, fmt::format("cannot read {}: {}", trace.string(), error.message()));
  return {};
}

Result<> log_uses(const fs::path& trace, std::set<std::string>& used) {
  TMREC_TRY(LogReader reader, LogReader::open(trace));
  for (;;) {
    TMREC_TRY(const std::optional<Event> event, reader.next());
    if (!event) return {};
    const auto* call = std::get_if<SyscallEvent>(&event->body);
    if (call != nullptr && call->mapping) note(*call->mapping, used);
    const auto* patch = std::get_if<PatchEvent>(&event->body);
    if (patch != nullptr && !patch->plan.hex.empty()) used.insert(patch->plan.hex);
    if (const auto* start = std::get_if<StartEvent>(&event->body)) {
      for (const StartEvent::Process& process : start->processes) {
        for (const StartEvent::Module& module : process.modules) used.insert(module.plan.hex);
      }
    }
  }
}

// Files of the store that are blobs nobody uses, or temporary ones.
std::vector<fs::path> garbage(const fs::path& store, const std::set<std::string>& used) {
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::directory_iterator entry(store, error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    const bool temporary = name.starts_with(".") && name.ends_with(".tmp");
    if (temporary || (BlobStore::valid(BlobId{name}) && !used.contains(name))) files.push_back(entry->path());
  }
  return files;
}

}  // namespace

Result<Fd> register_trace(const fs::path& store, const fs::path& trace) {
  TMREC_CHECKED(make_directories(store));
  TMREC_TRY(Fd lock, open_file(store, O_RDONLY | O_DIRECTORY));
  if (::flock(lock.get(), LOCK_SH) != 0) return fail_errno("cannot lock " + store.string());
  TMREC_TRY(const Fd list, open_file(store / kList, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW));
  const std::string text = fs::absolute(trace).lexically_normal().string();
  // With its NUL, in one write: recordings that start together do not mix their lines.
  if (const int err = write_all(list.get(), {reinterpret_cast<const std::uint8_t*>(text.c_str()), text.size() + 1})) {
    return fail_errno("cannot write " + (store / kList).string(), err);
  }
  return lock;
}

Result<std::set<std::string>> blobs_used_by(const fs::path& trace) {
  std::set<std::string> used;
  TMREC_CHECKED(snapshots_use(trace, used));
  TMREC_CHECKED(log_uses(trace, used));
  return used;
}

Result<Collected> collect(const fs::path& store) {
  std::error_code error;
  if (!fs::is_directory(store, error)) return Collected{};
  TMREC_TRY(const Fd lock, open_file(store, O_RDONLY | O_DIRECTORY));
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return Collected{.kept_because = "a recording is running: the next rm collects unused blobs"};
  }
  TMREC_TRY(const std::set<fs::path> users, users_of(store));
  std::set<std::string> used;
  Progress progress("looking for unused blobs: trace");
  std::uint64_t done = 0;
  for (const fs::path& user : users) {
    progress.update(++done, users.size());
    Result<std::set<std::string>> of_user = blobs_used_by(user);
    if (!of_user) return Collected{.kept_because = fmt::format("all blobs stay, since {}", of_user.error().text)};
    used.merge(*of_user);
  }
  TMREC_CHECKED(write_list(store, users));
  Collected collected;
  for (const fs::path& file : garbage(store, used)) {
    const std::uintmax_t size = fs::file_size(file, error);
    if (!fs::remove(file, error)) continue;
    ++collected.blobs;
    collected.bytes += size == static_cast<std::uintmax_t>(-1) ? 0 : size;
  }
  return collected;
}

}  // namespace tmrec::cli
