#include "tracee/proc.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <charconv>
#include <cstdio>
#include <cstring>

#include <fmt/format.h>

namespace tmrec::tracee {

namespace {

// The hexadecimal or decimal number after "Label:" in the text of /proc/TID/status.
std::optional<std::uint64_t> status_field(const std::string& status, const char* label, int base) {
  std::size_t at = status.find(label);
  if (at == std::string::npos) return std::nullopt;
  at = status.find_first_not_of(" \t", at + std::strlen(label));
  if (at == std::string::npos) return std::nullopt;
  std::uint64_t value = 0;
  std::from_chars(status.data() + at, status.data() + status.size(), value, base);
  return value;
}

}  // namespace

Result<std::string> read_file(const std::string& path) {
  int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fail_errno("cannot open " + path);
  std::string text;
  char buffer[16384];
  for (;;) {
    ssize_t n = read(fd, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      int err = errno;
      close(fd);
      return fail_errno("cannot read " + path, err);
    }
    if (n == 0) break;
    text.append(buffer, static_cast<std::size_t>(n));
  }
  close(fd);
  return text;
}

std::optional<char> task_state(pid_t tid) {
  char path[32];
  std::snprintf(path, sizeof path, "/proc/%d/stat", tid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  char text[256];
  ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  if (n <= 0) return std::nullopt;
  text[n] = 0;
  // The name in parentheses may itself hold parentheses; it has at most 15 characters.
  const char* after_name = std::strrchr(text, ')');
  if (after_name == nullptr || after_name + 2 >= text + n) return std::nullopt;
  return after_name[2];
}

std::optional<std::chrono::nanoseconds> cpu_time(pid_t tid) {
  auto stat = read_file(fmt::format("/proc/{}/stat", tid));
  const std::size_t name_end = stat ? stat->rfind(')') : std::string::npos;
  if (name_end == std::string::npos) return std::nullopt;
  unsigned long user = 0, system = 0;  // fields 14 and 15; the state behind the name is field 3
  if (std::sscanf(stat->c_str() + name_end + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
                  &system) != 2) {
    return std::nullopt;
  }
  return std::chrono::nanoseconds(std::chrono::seconds(1)) / sysconf(_SC_CLK_TCK) * static_cast<long>(user + system);
}

std::optional<SignalMasks> signal_masks(pid_t tid) {
  auto status = read_file(fmt::format("/proc/{}/status", tid));
  if (!status) return std::nullopt;
  auto blocked = status_field(*status, "SigBlk:", 16);
  auto ignored = status_field(*status, "SigIgn:", 16);
  auto caught = status_field(*status, "SigCgt:", 16);
  if (!blocked || !ignored || !caught) return std::nullopt;
  return SignalMasks{*blocked, *ignored, *caught};
}

std::optional<std::uint64_t> pending_signals(pid_t tid) {
  auto status = read_file(fmt::format("/proc/{}/status", tid));
  if (!status) return std::nullopt;
  auto own = status_field(*status, "SigPnd:", 16);
  auto shared = status_field(*status, "ShdPnd:", 16);
  if (!own || !shared) return std::nullopt;
  return *own | *shared;
}

namespace {

// Of /proc/PID/statm, in pages.
struct Memory {
  unsigned long all = 0, resident = 0, shared = 0;
};

Memory memory_of(pid_t pid) {
  Memory memory;
  const auto text = read_file(fmt::format("/proc/{}/statm", pid));
  if (!text || std::sscanf(text->c_str(), "%lu %lu %lu", &memory.all, &memory.resident, &memory.shared) != 3) return {};
  return memory;
}

}  // namespace

std::uint64_t resident_memory(pid_t pid) { return memory_of(pid).resident * kPageSize; }

std::uint64_t own_memory(pid_t pid) {
  const Memory memory = memory_of(pid);
  return (memory.resident - memory.shared) * kPageSize;
}

namespace {

std::optional<pid_t> id_in_status(pid_t tid, const char* field) {
  auto status = read_file(fmt::format("/proc/{}/status", tid));
  if (!status) return std::nullopt;
  auto id = status_field(*status, field, 10);
  if (!id) return std::nullopt;
  return static_cast<pid_t>(*id);
}

}  // namespace

std::optional<pid_t> thread_group_of(pid_t tid) { return id_in_status(tid, "Tgid:"); }
std::optional<pid_t> parent_of(pid_t tid) { return id_in_status(tid, "PPid:"); }

bool has_seccomp_filter(pid_t tid) {
  auto status = read_file(fmt::format("/proc/{}/status", tid));
  return !status || status_field(*status, "\nSeccomp:", 10).value_or(0) != 0;
}

std::optional<std::uint64_t> limit_of(pid_t pid, int resource) {
  const std::string name = resource == RLIMIT_STACK ? "\nMax stack size" : "\nMax file size";
  const auto text = read_file(fmt::format("/proc/{}/limits", pid));
  std::size_t at = text ? text->find(name) : std::string::npos;
  if (at == std::string::npos) return std::nullopt;
  at = text->find_first_not_of(' ', at + name.size());
  if (at == std::string::npos) return std::nullopt;
  std::uint64_t value = RLIM_INFINITY;
  std::from_chars(text->data() + at, text->data() + text->size(), value);  // "unlimited" leaves it
  return value;
}

bool has_open(pid_t pid, int fd, int own) {
  struct stat here {
  }, there{};
  return fstat(own, &here) == 0 && stat(fmt::format("/proc/{}/fd/{}", pid, fd).c_str(), &there) == 0 &&
         here.st_dev == there.st_dev && here.st_ino == there.st_ino;
}

std::optional<OpenFile> open_file_of(pid_t pid, int fd) {
  auto info = read_file(fmt::format("/proc/{}/fdinfo/{}", pid, fd));
  if (!info) return std::nullopt;
  auto position = status_field(*info, "pos:", 10);
  auto flags = status_field(*info, "flags:", 8);
  if (!position || !flags) return std::nullopt;
  return OpenFile{*position, static_cast<int>(*flags)};
}

Result<std::vector<MapsLine>> read_maps(pid_t pid) {
  TMREC_TRY(std::string text, read_file(fmt::format("/proc/{}/maps", pid)));
  std::vector<MapsLine> lines;
  std::size_t at = 0;
  while (at < text.size()) {
    std::size_t end = text.find('\n', at);
    if (end == std::string::npos) end = text.size();
    std::string line = text.substr(at, end - at);
    at = end + 1;
    unsigned long start = 0, stop = 0, offset = 0, inode = 0;
    unsigned major_no = 0, minor_no = 0;
    char perms[5] = {};
    int name_at = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx %4s %lx %x:%x %lu %n", &start, &stop, perms, &offset, &major_no, &minor_no,
                    &inode, &name_at) < 7) {
      return fail(ErrorKind::System, fmt::format("/proc/{}/maps has a line of unknown form: {}", pid, line));
    }
    MapsLine map;
    map.start = RemoteAddr(start);
    map.end = RemoteAddr(stop);
    map.prot =
        (perms[0] == 'r' ? PROT_READ : 0) | (perms[1] == 'w' ? PROT_WRITE : 0) | (perms[2] == 'x' ? PROT_EXEC : 0);
    map.shared = perms[3] == 's';
    map.offset = offset;
    map.device = makedev(major_no, minor_no);
    map.inode = inode;
    map.name = name_at > 0 && static_cast<std::size_t>(name_at) < line.size() ? line.substr(name_at) : "";
    lines.push_back(std::move(map));
  }
  return lines;
}

}  // namespace tmrec::tracee
