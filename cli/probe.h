// Tests of what this machine offers: each does the thing on a child process of its own and looks at the effect, since
// a kernel version or a flag in /proc says little about what a container, a hypervisor or a security module lets pass.
//
// A child that hangs is killed after a few seconds and counts as "does not work".
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace tmrec::cli {

struct Probe {
  std::string name;  // stable, for --json: "ptrace", "sysemu", ...
  bool ok = false;
  bool needed = false;  // without it nothing can be recorded or replayed
  std::string meaning;  // what is so, and what follows
  std::string advice;   // what to do about it; empty when there is nothing to do
};

// ptrace, sysemu, remote-memory.
std::vector<Probe> probe_tracing();

// tsc, cpuid, dispatch, layout.
std::vector<Probe> probe_cpu();

// counter, ticks: whether a hardware counter can be relied upon, and what would count a task's progress.
std::vector<Probe> probe_ticks();

// directory, clone, space: of the directory that traces go to (which need not exist yet).
std::vector<Probe> probe_storage(const std::filesystem::path& traces);

// Tries to trace a child. Nothing: it works. Otherwise the setting that forbids it and what to do, in one line.
std::optional<std::string> why_ptrace_is_refused();

// Nothing: /proc shows the processes of the namespace that tmrec is in. Otherwise what to do, in one line.
std::optional<std::string> why_proc_is_useless();

}  // namespace tmrec::cli
