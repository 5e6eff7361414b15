#include "recorder/examine.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <set>

#include <fmt/format.h>

#include "format/file_io.h"
#include "recorder/process_tree.h"
#include "tracee/proc.h"

namespace tmrec::recorder {

namespace {

using ObjectId = std::pair<std::uint64_t, std::uint64_t>;  // device, inode

std::string name_of(pid_t pid) {
  auto name = tracee::read_file(fmt::format("/proc/{}/comm", pid));
  if (!name) return "?";
  while (!name->empty() && name->back() == '\n') name->pop_back();
  return *name;
}

// The number behind "label:\t"; 0: there is no such line.
long status_number(const std::string& status, const std::string& label) {
  const std::size_t at = status.find("\n" + label + ":");
  return at == std::string::npos ? 0 : std::strtol(status.c_str() + at + label.size() + 2, nullptr, 10);
}

std::unexpected<Error> refuse(pid_t pid, const std::string& why) {
  return fail(ErrorKind::Machine, fmt::format("cannot record process {} ({}): {}", pid, name_of(pid), why));
}

std::string permission_advice() {
  const auto scope = tracee::read_file("/proc/sys/kernel/yama/ptrace_scope");
  if (scope && scope->starts_with("3")) return "kernel.yama.ptrace_scope is 3, which forbids it until the next boot";
  if (scope && scope->starts_with("2")) return "kernel.yama.ptrace_scope is 2: run tmrec as root";
  if (scope && scope->starts_with("1"))
    return "kernel.yama.ptrace_scope is 1, which lets only parents trace: run tmrec as root, or "
           "sysctl kernel.yama.ptrace_scope=0";
  return "run tmrec as the process's user or as root; in a container, allow the ptrace system call "
         "(docker run --cap-add=SYS_PTRACE)";
}

bool has_ended(pid_t pid) {
  const auto state = tracee::task_state(pid);
  return !state || ((*state == 'Z' || *state == 'X') && threads_of(pid).size() <= 1);
}

Result<void> examine_files(pid_t pid) {
  for (const pid_t fd : numbers_in(fmt::format("/proc/{}/fd", pid))) {
    char target[64] = {};
    if (readlink(fmt::format("/proc/{}/fd/{}", pid, fd).c_str(), target, sizeof target - 1) < 0) continue;
    for (const char* what : {"io_uring", "userfaultfd"}) {
      if (fmt::format("anon_inode:[{}]", what) == target)
        return refuse(pid, fmt::format("it uses {}, whose effects cannot be recorded", what));
    }
  }
  return {};
}

// A container's filter is on all its processes, tmrec's among them: what tmrec may do itself, the process may do for
// it. One with more filters than tmrec has brought its own.
bool has_own_filter(const std::string& status) {
  if (status_number(status, "Seccomp") == 0) return false;
  const auto ours = tracee::read_file("/proc/self/status");
  const long filters = status_number(status, "Seccomp_filters");
  return !ours || filters == 0 || filters != status_number(*ours, "Seccomp_filters");
}

Result<void> examine_process(pid_t pid) {
  const auto status = tracee::read_file(fmt::format("/proc/{}/status", pid));
  if (!status) return fail(ErrorKind::Usage, fmt::format("there is no process {}", pid));
  if (status_number(*status, "Tgid") != pid) {
    return fail(ErrorKind::Usage,
                fmt::format("{} is a thread of process {}: name the process", pid, status_number(*status, "Tgid")));
  }
  if (const long tracer = status_number(*status, "TracerPid"); tracer != 0)
    return refuse(
        pid, fmt::format("it is being traced by process {} ({}) already", tracer, name_of(static_cast<pid_t>(tracer))));
  if (has_own_filter(*status))
    return refuse(
        pid,
        "it has a seccomp filter, which would judge tmrec's system calls as its own (a container's own filter "
        "is no obstacle where tmrec is in the container, too)");
  Elf64_Ehdr header{};
  const Fd program(open(fmt::format("/proc/{}/exe", pid).c_str(), O_RDONLY | O_CLOEXEC));
  if (!program) {
    const int why = errno;
    if (why == EACCES || why == EPERM) return refuse(pid, "not permitted: " + permission_advice());
    return refuse(pid, why == ENOENT ? "it is a thread of the kernel, or has ended" : std::strerror(why));
  }
  if (read(program.get(), &header, sizeof header) == sizeof header &&
      (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != EM_X86_64))
    return refuse(pid, "it is not a 64-bit x86-64 program");
  return examine_files(pid);
}

// Memory shared with processes outside of the recording, where those may write.
Result<void> examine_sharing(const std::vector<pid_t>& processes) {
  std::map<ObjectId, pid_t> shared;
  for (const pid_t pid : processes) {
    const auto maps = tracee::read_maps(pid);
    if (!maps && has_ended(pid)) continue;
    if (!maps) return refuse(pid, "not permitted: " + permission_advice());
    for (const auto& map : *maps) {
      if (map.name.starts_with("/[aio]"))
        return refuse(pid, "it uses asynchronous I/O (io_setup), whose effects cannot be recorded");
      if (map.shared && map.inode != 0) shared.emplace(ObjectId{map.device, map.inode}, pid);
    }
  }
  if (shared.empty()) return {};
  const std::set<pid_t> inside(processes.begin(), processes.end());
  for (const pid_t other : numbers_in("/proc")) {
    if (inside.contains(other) || other == getpid()) continue;
    const auto maps = tracee::read_maps(other);
    if (!maps) continue;
    for (const auto& map : *maps) {
      const auto ours = shared.find({map.device, map.inode});
      if (!map.shared || (map.prot & PROT_WRITE) == 0 || ours == shared.end()) continue;
      return refuse(ours->second,
                    fmt::format("it shares memory ({}) with process {} ({}), which would not be recorded: record "
                                "the process that started both",
                                map.name, other, name_of(other)));
    }
  }
  return {};
}

}  // namespace

Result<std::vector<pid_t>> examine(pid_t root) {
  TMREC_CHECKED(examine_process(root));
  const std::vector<pid_t> processes = descendants(root);
  if (std::ranges::count(processes, getpid()) != 0) {
    return fail(ErrorKind::Usage, fmt::format("process {} has started this tmrec: start tmrec elsewhere", root));
  }
  std::vector<pid_t> alive;
  for (const pid_t pid : processes) {
    if (has_ended(pid)) continue;
    const auto examined = examine_process(pid);
    const bool ends = access(fmt::format("/proc/{}/exe", pid).c_str(), F_OK) < 0 && errno == ENOENT;
    if (!examined && !ends && !has_ended(pid)) return std::unexpected(examined.error());
    if (examined) alive.push_back(pid);
  }
  if (alive.empty()) return fail(ErrorKind::Usage, fmt::format("process {} has ended", root));
  TMREC_CHECKED(examine_sharing(alive));
  return alive;
}

}  // namespace tmrec::recorder
