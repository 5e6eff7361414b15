#include "recorder/foresight.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <deque>
#include <filesystem>
#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "tracee/proc.h"

namespace tmrec::recorder {

namespace {

constexpr std::size_t kMostFiles = 512;       // of one program
constexpr std::size_t kMostDirectories = 64;  // of one search path
constexpr std::size_t kMostLookups = 20'000;  // of one program
constexpr std::size_t kMostRemembered = 100'000;
constexpr std::uint64_t kLargestFile = std::uint64_t{4} << 30;
constexpr std::array<std::string_view, 6> kUsualPlaces{
    "/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib"};

std::vector<std::string> split(std::string_view text, std::string_view separators) {
  std::vector<std::string> parts;
  while (!text.empty() && parts.size() < kMostDirectories) {
    const std::size_t end = std::min(text.find_first_of(separators), text.size());
    if (end > 0) parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

std::string link_at(const std::string& path) {
  char target[4096];
  const ssize_t n = readlink(path.c_str(), target, sizeof target);
  return {target, n > 0 ? static_cast<std::size_t>(n) : 0};
}

// Links in the path lead where they lead the program (openat2(2), since Linux 5.6).
Fd open_below(int root, const std::string& path) {
  if (!path.starts_with('/')) return Fd();
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  const auto fd = static_cast<int>(syscall(SYS_openat2, root, path.c_str(), &how, sizeof how));
  if (fd >= 0 || errno != ENOSYS) return Fd(fd);
  return Fd(openat(root, path.c_str() + 1, static_cast<int>(how.flags)));
}

// ld.so(8), "Dynamic string tokens".
std::string with_origin(std::string text, const std::string& origin) {
  for (const std::string_view token : {"${ORIGIN}", "$ORIGIN"}) {
    for (std::size_t at = 0; (at = text.find(token, at)) != std::string::npos && text.size() < 4096;) {
      text.replace(at, token.size(), origin);
      at += origin.size();
    }
  }
  return text;
}

std::vector<std::string> directories(const std::string& path, const std::string& file) {
  const std::string origin = std::filesystem::path(file).parent_path();
  std::vector<std::string> found = split(path, ":");
  for (std::string& directory : found) directory = with_origin(std::move(directory), origin);
  return found;
}

// One program's tree of libraries, breadth first as ld.so loads it.
class Lookup {
 public:
  explicit Lookup(const Surroundings& in) : in_(in) {}

  struct Loaded {
    std::string path;
    std::vector<std::string> rpath, runpath;
  };

  Fd find(const std::string& name, const Loaded& by, const Loaded& executable, std::string& path) {
    if (name.contains('/')) return open(path = with_origin(name, std::filesystem::path(by.path).parent_path()));
    static const std::vector<std::string> usual(kUsualPlaces.begin(), kUsualPlaces.end());
    // A DT_RUNPATH switches off the DT_RPATH of the same file.
    static const std::vector<std::string> none;
    const auto& own = by.runpath.empty() ? by.rpath : none;
    const auto& first = by.runpath.empty() && executable.runpath.empty() ? executable.rpath : none;
    for (const auto* places : {&own, &first, &in_.library_path, &by.runpath, &usual}) {
      for (const std::string& directory : *places) {
        path = directory + "/" + name;
        if (Fd file = open(path)) return file;
      }
    }
    return Fd();
  }

 private:
  Fd open(const std::string& path) { return ++lookups_ > kMostLookups ? Fd() : open_below(in_.root.get(), path); }

  const Surroundings& in_;
  std::size_t lookups_ = 0;
};

}  // namespace

Surroundings Surroundings::of(pid_t pid) {
  Surroundings in;
  const std::string proc = fmt::format("/proc/{}", pid);
  in.root = Fd(open((proc + "/root").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  in.executable = link_at(proc + "/exe");
  const std::string root = link_at(proc + "/root");
  if (root.size() > 1 && in.executable.starts_with(root + "/")) in.executable.erase(0, root.size());
  if (auto environment = tracee::read_file(proc + "/environ")) {
    for (std::string_view rest = *environment; !rest.empty();) {
      const std::string_view variable = rest.substr(0, rest.find('\0'));
      rest.remove_prefix(std::min(variable.size() + 1, rest.size()));
      constexpr std::string_view kPath = "LD_LIBRARY_PATH=", kPreload = "LD_PRELOAD=";
      if (variable.starts_with(kPath)) in.library_path = split(variable.substr(kPath.size()), ":;");
      if (variable.starts_with(kPreload)) in.preloaded = split(variable.substr(kPreload.size()), ": ");
    }
  }
  return in;
}

std::optional<Foresight::Identity> Foresight::Identity::of(int fd) {
  struct stat file{};
  if (fstat(fd, &file) < 0 || !S_ISREG(file.st_mode)) return std::nullopt;
  const auto size = static_cast<std::uint64_t>(file.st_size);
  if (size > kLargestFile) return std::nullopt;
  return Identity{file.st_dev, file.st_ino, size, file.st_mtim.tv_sec, file.st_mtim.tv_nsec};
}

bool Foresight::has_seen(int fd) const {
  const auto identity = Identity::of(fd);
  return identity && seen_.contains(*identity);
}

void Foresight::foresee(const Surroundings& in, int executable_fd, const Found& found) {
  if (!in.root || seen_.size() > kMostRemembered) return;
  Lookup lookup(in);
  Lookup::Loaded executable{in.executable, {}, {}};
  struct Wanted {
    std::string name;
    Lookup::Loaded by;
  };
  std::deque<Wanted> queue;
  std::set<std::string> asked;
  std::size_t files = 0;
  const auto look_at = [&](int fd, const std::string& path, bool is_executable) {
    const auto identity = Identity::of(fd);
    if (!identity || !seen_.insert(*identity).second || ++files > kMostFiles) return;
    auto needs = read_elf_needs([fd](std::uint64_t offset, std::span<std::uint8_t> into) {
      return offset <= kLargestFile && read_at(fd, offset, into) == static_cast<std::int64_t>(into.size());
    });
    if (!needs) return;
    Lookup::Loaded loaded{path, directories(needs->rpath, path), directories(needs->runpath, path)};
    if (is_executable) executable = loaded;
    std::vector<std::string> names = needs->libraries;
    if (is_executable) names.insert(names.begin(), in.preloaded.begin(), in.preloaded.end());
    if (is_executable && !needs->interpreter.empty()) names.insert(names.begin(), needs->interpreter);
    for (std::string& name : names) {
      if (asked.insert(name).second) queue.push_back({std::move(name), loaded});
    }
    found({fd, path, *needs, is_executable});
  };
  look_at(executable_fd, in.executable, true);
  for (; !queue.empty() && files < kMostFiles; queue.pop_front()) {
    std::string path;
    const Fd file = lookup.find(queue.front().name, queue.front().by, executable, path);
    if (file) look_at(file.get(), path, false);
  }
}

}  // namespace tmrec::recorder
