// Whether a child can be traced, its system calls replaced, and its memory reached; and when not, who forbids it.
//
// EPERM from ptrace has many authors. Those that say so somewhere are asked: Yama, the seccomp mode of this process, a
// tracer that is there already, the capability set. What remains is a security module, and the text says that.

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <string_view>

#include "cli/probe.h"
#include "cli/probe_child.h"

namespace tmrec::cli {
namespace {

constexpr int kCapSysPtrace = 19;  // include/uapi/linux/capability.h

std::string first_line(const std::string& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return line;
}

// A field of /proc/PID/status, without its name and blanks; empty when there is none.
std::string status_field(const std::string& pid, const std::string& name) {
  std::ifstream in("/proc/" + pid + "/status");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(name + ":"))
      return line.substr(std::min(line.find_first_not_of(" \t", name.size() + 1), line.size()));
  }
  return {};
}

bool has_sys_ptrace() {
  const std::string effective = status_field("self", "CapEff");
  return !effective.empty() && (std::strtoull(effective.c_str(), nullptr, 16) >> kCapSysPtrace & 1) != 0;
}

std::string who_forbids(int err, pid_t child) {
  const std::string what = fmt::format("ptrace of a child fails: {}", std::strerror(err));
  const std::string tracer = status_field(std::to_string(child), "TracerPid");
  if (!tracer.empty() && tracer != "0") {
    return fmt::format("{}: process {} traces it already (strace -f, gdb?): start tmrec outside of it", what, tracer);
  }
  const std::string yama = first_line("/proc/sys/kernel/yama/ptrace_scope");
  if (yama == "3")
    return what + ": kernel.yama.ptrace_scope is 3, which forbids all tracing until the next boot with another setting";
  if (yama == "2" && !has_sys_ptrace()) {
    return what +
           ": kernel.yama.ptrace_scope is 2 and CAP_SYS_PTRACE is missing: sysctl kernel.yama.ptrace_scope=1, or add "
           "the capability";
  }
  if (status_field("self", "Seccomp") == "2") {
    return what +
           ": a seccomp filter is active here (Seccomp: 2 in /proc/self/status), probably the container's: allow "
           "ptrace in it "
           "(docker: --security-opt seccomp=unconfined or --cap-add SYS_PTRACE)";
  }
  if (!has_sys_ptrace()) {
    return what +
           ": CAP_SYS_PTRACE is missing and a security module (SELinux: setsebool deny_ptrace off; AppArmor: a profile "
           "with ptrace) wants it";
  }
  return what + ": a security module (SELinux deny_ptrace, an AppArmor profile) or a sandbox's kernel forbids it";
}

// Seizes a child that waits at its gate and stops it. Returns errno, 0 for success.
int seize(ProbeChild& child) {
  if (child.pid() < 0) return EAGAIN;
  if (::ptrace(PTRACE_SEIZE, child.pid(), nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL) != 0) return errno;
  if (::ptrace(PTRACE_INTERRUPT, child.pid(), nullptr, nullptr) != 0) return errno;
  const std::optional<int> status = child.wait();
  return status && WIFSTOPPED(*status) ? 0 : ETIMEDOUT;
}

Probe probe_ptrace() {
  Probe probe{.name = "ptrace", .ok = false, .needed = true, .meaning = {}, .advice = {}};
  const std::optional<std::string> why = why_ptrace_is_refused();
  probe.ok = !why;
  probe.meaning =
      probe.ok ? "child processes can be traced: recording and replaying work" : "nothing can be recorded or replayed";
  if (why) probe.advice = *why;
  return probe;
}

// Lets the child's getpid be answered by us, and the child judge the answer.
Probe probe_sysemu() {
  constexpr long kAnswer = 123'456'789;
  const auto works = [] {
    ProbeChild child(
        [] {
          ::syscall(SYS_kill, ::syscall(SYS_getpid), SIGSTOP);
          return ::syscall(SYS_getpid) == kAnswer ? 0 : 1;
        },
        true);
    if (seize(child) != 0 || ::ptrace(PTRACE_CONT, child.pid(), nullptr, nullptr) != 0) return false;
    child.release();
    const std::optional<int> stopped = child.wait();
    if (!stopped || !WIFSTOPPED(*stopped) || WSTOPSIG(*stopped) != SIGSTOP) return false;
    if (::ptrace(static_cast<__ptrace_request>(PTRACE_SYSEMU), child.pid(), nullptr, nullptr) != 0) return false;
    const std::optional<int> call = child.wait();
    if (!call || !WIFSTOPPED(*call) || WSTOPSIG(*call) != (SIGTRAP | 0x80)) return false;
    user_regs_struct regs{};
    if (::ptrace(PTRACE_GETREGS, child.pid(), nullptr, &regs) != 0 || regs.orig_rax != SYS_getpid) return false;
    regs.rax = kAnswer;
    if (::ptrace(PTRACE_SETREGS, child.pid(), nullptr, &regs) != 0) return false;
    return ::ptrace(PTRACE_CONT, child.pid(), nullptr, nullptr) == 0 && child.succeeded();
  };
  Probe probe{.name = "sysemu", .ok = works(), .needed = true, .meaning = {}, .advice = {}};
  probe.meaning = probe.ok ? "system calls can be answered in place of the kernel: replaying works"
                           : "recordings cannot be replayed here";
  if (!probe.ok)
    probe.advice =
        "PTRACE_SYSEMU is a part of every Linux for x86-64; a sandbox that emulates Linux (gVisor) may lack it";
  return probe;
}

// Reads a page of a child with process_vm_readv and writes a page that it may only read through /proc/PID/mem.
Probe probe_remote_memory() {
  Probe probe{.name = "remote-memory", .ok = false, .needed = true, .meaning = {}, .advice = {}};
  void* const page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return probe;
  std::memcpy(page, "before", 7);
  ::mprotect(page, 4096, PROT_READ);
  std::string failed;
  {
    ProbeChild child([page] { return std::memcmp(page, "after.", 7); }, true);
    std::array<char, 7> seen{};
    iovec local{seen.data(), seen.size()};
    iovec remote{page, seen.size()};
    if (const int err = seize(child); err != 0) {
      failed = fmt::format("a child cannot be traced ({})", std::strerror(err));
    } else if (::process_vm_readv(child.pid(), &local, 1, &remote, 1, 0) != 7 ||
               std::memcmp(seen.data(), "before", 7) != 0) {
      failed = fmt::format("process_vm_readv fails ({})", std::strerror(errno));
    } else {
      std::fstream memory(fmt::format("/proc/{}/mem", child.pid()), std::ios::in | std::ios::out | std::ios::binary);
      memory.seekp(static_cast<std::streamoff>(reinterpret_cast<std::uintptr_t>(page)));
      memory.write("after.", 7);
      memory.close();
      ::ptrace(PTRACE_DETACH, child.pid(), nullptr, nullptr);
      child.release();
      if (!child.succeeded()) failed = "/proc/PID/mem cannot be written";
    }
  }
  ::munmap(page, 4096);
  probe.ok = failed.empty();
  probe.meaning = probe.ok ? "the memory of traced processes can be read and written"
                           : failed + ": nothing can be recorded or replayed";
  if (!probe.ok)
    probe.advice =
        "allow process_vm_readv and a writable /proc in the sandbox (kernel: proc_mem.force_override=always or ptrace)";
  return probe;
}

}  // namespace

std::optional<std::string> why_ptrace_is_refused() {
  ProbeChild child([] { return 0; }, true);
  if (child.pid() < 0) return "no further process can be started here (ulimit -u, pids.max of the cgroup)";
  const int err = seize(child);
  if (err == 0) return std::nullopt;
  return who_forbids(err, child.pid());
}

std::vector<Probe> probe_tracing() { return {probe_ptrace(), probe_sysemu(), probe_remote_memory()}; }

std::optional<std::string> why_proc_is_useless() {
  std::array<char, 32> shown{};
  const ssize_t n = ::readlink("/proc/self", shown.data(), shown.size() - 1);
  if (n > 0 && std::string_view(shown.data()) == std::to_string(::getpid())) return std::nullopt;
  return n < 0 ? "recording and replaying need /proc, which is not mounted here: mount -t proc proc /proc"
               : "/proc here is that of another PID namespace: mount -t proc proc /proc";
}

}  // namespace tmrec::cli
