// What /proc says about a task (proc(5)).
#pragma once

#include <sys/types.h>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "format/result.h"
#include "format/types.h"

namespace tmrec::tracee {

// The state letter of /proc/TID/stat ('R', 'S', 'D', 't', 'Z', …); nullopt when the task is gone.
std::optional<char> task_state(pid_t tid);

// CPU time the task has used, in the kernel's clock ticks (10 ms); nullopt when it is gone.
std::optional<std::chrono::nanoseconds> cpu_time(pid_t tid);

// Signal dispositions of /proc/TID/status: bit N-1 is signal N.
struct SignalMasks {
  std::uint64_t blocked = 0, ignored = 0, caught = 0;
  bool is_blocked(int signal) const { return (blocked >> (signal - 1)) & 1; }
  bool is_ignored(int signal) const { return (ignored >> (signal - 1)) & 1; }
  bool is_caught(int signal) const { return (caught >> (signal - 1)) & 1; }
};
std::optional<SignalMasks> signal_masks(pid_t tid);

// Signals waiting for the task or its process; bit N-1 is signal N.
std::optional<std::uint64_t> pending_signals(pid_t tid);

// Bytes of memory that the process has now; 0: it is gone. The second without what files and shared memory show.
std::uint64_t resident_memory(pid_t pid);
std::uint64_t own_memory(pid_t pid);

std::optional<pid_t> thread_group_of(pid_t tid);
// The process whose child its process is.
std::optional<pid_t> parent_of(pid_t tid);

// The soft limit on a resource, RLIMIT_FSIZE or RLIMIT_STACK; RLIM_INFINITY: none. By /proc/PID/limits, which is open where
// prlimit(2) is not: to one without CAP_SYS_RESOURCE, of a program of another user. nullopt: the task is gone.
std::optional<std::uint64_t> limit_of(pid_t pid, int resource);

// A seccomp filter judges the task's calls, or may: also true when the task is gone.
bool has_seccomp_filter(pid_t tid);

// What /proc/PID/fdinfo/FD says.
struct OpenFile {
  std::uint64_t position = 0;
  int flags = 0;  // O_*
};
std::optional<OpenFile> open_file_of(pid_t pid, int fd);
// Whether its descriptor `fd` is of the file that this process has as `own`.
bool has_open(pid_t pid, int fd, int own);

// A line of /proc/PID/maps.
struct MapsLine {
  RemoteAddr start, end;
  int prot = 0;  // PROT_*
  bool shared = false;
  std::uint64_t offset = 0;
  std::uint64_t device = 0;  // as makedev(3)
  std::uint64_t inode = 0;
  std::string name;  // path (with " (deleted)"), "[stack]", or empty
};
Result<std::vector<MapsLine>> read_maps(pid_t pid);

Result<std::string> read_file(const std::string& path);

}  // namespace tmrec::tracee
