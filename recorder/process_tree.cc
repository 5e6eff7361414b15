#include "recorder/process_tree.h"

#include <charconv>
#include <cstdio>
#include <filesystem>

#include <fmt/format.h>

#include "tracee/proc.h"

namespace tmrec::recorder {

namespace fs = std::filesystem;

std::vector<pid_t> numbers_in(const std::string& directory) {
  std::vector<pid_t> found;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename();
    pid_t number = 0;
    const auto [rest, failed] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (failed == std::errc() && rest == name.data() + name.size()) found.push_back(number);
  }
  return found;
}

std::vector<pid_t> threads_of(pid_t process) { return numbers_in(fmt::format("/proc/{}/task", process)); }

std::vector<pid_t> children_of(pid_t process) {
  std::vector<pid_t> found;
  for (const pid_t tid : threads_of(process)) {
    const auto children = tracee::read_file(fmt::format("/proc/{}/task/{}/children", process, tid));
    const char* at = children ? children->c_str() : "";
    pid_t child = 0;
    for (int used = 0; std::sscanf(at, "%d%n", &child, &used) == 1; at += used) found.push_back(child);
  }
  return found;
}

std::vector<pid_t> descendants(pid_t program) {
  std::vector<pid_t> found{program};
  for (std::size_t i = 0; i < found.size(); ++i) {
    for (const pid_t child : children_of(found[i])) found.push_back(child);
  }
  return found;
}

}  // namespace tmrec::recorder
