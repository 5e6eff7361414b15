// Files of /proc that are about the recorded program itself: what it reads there must not show tmrec, and what it
// writes to its own memory through one is a change of memory like any other.
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include <fmt/format.h>

#include "recorder/task_life.h"
#include "tracee/proc.h"

namespace tmrec::recorder {

namespace {

// The path behind a descriptor of the task, if it lies in /proc; else empty.
std::string proc_path(pid_t tid, std::uint64_t fd) {
  static const dev_t kProc = [] {
    struct stat root{};
    return stat("/proc", &root) == 0 ? root.st_dev : dev_t{};
  }();
  std::string link = fmt::format("/proc/{}/fd/{}", tid, static_cast<int>(fd));
  struct stat file{};
  if (stat(link.c_str(), &file) < 0 || file.st_dev != kProc || !S_ISREG(file.st_mode)) return {};
  char path[256];
  ssize_t n = readlink(link.c_str(), path, sizeof path);
  return n > 0 ? std::string(path, static_cast<std::size_t>(n)) : std::string();
}

// A CPU mask as /proc/PID/status writes it: groups of 32 bits, the highest first; and as a list of ranges.
std::string mask_words(const cpu_set_t& set, std::size_t bytes) {
  std::string text;
  for (std::size_t group = bytes / 4; group-- > 0;) {
    std::uint32_t word = 0;
    for (std::size_t bit = 0; bit < 32; ++bit) word |= CPU_ISSET(group * 32 + bit, &set) ? 1u << bit : 0;
    text += fmt::format("{}{:08x}", text.empty() ? "" : ",", word);
  }
  return text;
}

std::string mask_list(const cpu_set_t& set) {
  std::string text;
  for (std::size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &set)) continue;
    std::size_t last = cpu;
    while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, &set)) ++last;
    text += fmt::format("{}{}", text.empty() ? "" : ",", cpu);
    if (last > cpu) text += fmt::format("-{}", last);
    cpu = last;
  }
  return text;
}

// Replaces the value of a line "label:\tvalue\n".
void replace_value(std::string& text, std::string_view label, const std::function<std::string(std::string)>& value) {
  std::size_t at = text.starts_with(label) ? 0 : text.find(std::string("\n").append(label));
  if (at == std::string::npos) return;
  at = text.find('\t', at);
  std::size_t end = text.find('\n', at);
  if (at == std::string::npos || end == std::string::npos) return;
  text.replace(at + 1, end - at - 1, value(text.substr(at + 1, end - at - 1)));
}

}  // namespace

// Files may be read in pieces that cut a line in two, so each piece is taken from the whole text as it should be, at the
// offset the program has come to.
void TaskLife::show_own_files(const syscalls::Call& call, Regs& after) {
  const auto size = static_cast<std::int64_t>(after.rax);
  if ((call.nr != SYS_read && call.nr != SYS_pread64) || size <= 0) return;
  ProcRead read{proc_path(tid(), call.args[0]), call.args[3], call.args[1], static_cast<std::uint64_t>(size)};
  const bool status = read.path.ends_with("/status");
  if (!status && !read.path.ends_with("/maps") && !read.path.ends_with("/smaps")) return;
  if (call.nr == SYS_read) {
    auto open_file = tracee::open_file_of(tid(), static_cast<int>(call.args[0]));
    if (!open_file) return;
    read.offset = open_file->position - read.size;
  }
  if (!status) return show_own_maps(read);
  if (size <= 65536) show_untraced_status(read, call.args[2], after);
}

// A tracer and the one CPU that tmrec chose show in /proc/PID/status (proc(5)).
void TaskLife::show_untraced_status(const ProcRead& read, std::uint64_t room, Regs& after) {
  auto text = tracee::read_file(read.path);
  if (!text) return;
  bool to_the_end = read.offset + read.size >= text->size();
  const cpu_set_t& set = affinity_ ? *affinity_ : session_.affinity;
  replace_value(*text, "TracerPid:", [](std::string) { return std::string("0"); });
  replace_value(*text, "Cpus_allowed:", [&](std::string shown) {
    std::string all = mask_words(set, session_.affinity_bytes);
    return shown.size() < all.size() ? all.substr(all.size() - shown.size()) : all;
  });
  replace_value(*text, "Cpus_allowed_list:", [&](std::string) { return mask_list(set); });
  if (read.offset >= text->size()) return;
  std::string piece = text->substr(read.offset, to_the_end ? room : read.size);
  if (!memory().write(read.buffer, piece.data(), piece.size()) || piece.size() == read.size) return;
  after.rax = piece.size();
  stopped().set_regs(after);
}

void TaskLife::note_written_memory(OpenCall& open) {
  const auto& call = open.call;
  bool at_offset = call.nr == SYS_pwrite64 || call.nr == SYS_pwritev || call.nr == SYS_pwritev2;
  if (open.event.ret <= 0 || !(at_offset || call.nr == SYS_write || call.nr == SYS_writev)) return;
  std::string path = proc_path(tid(), call.args[0]);
  if (!path.ends_with("/mem")) return;
  auto written = static_cast<std::uint64_t>(open.event.ret);
  if (path != fmt::format("/proc/{}/mem", process_->leader) &&
      path != fmt::format("/proc/{}/task/{}/mem", process_->leader, tid())) {
    throw sched::EndRecording{
        fmt::format("task {} writes to the memory of another process ({}), which can't be recorded", tid(), path)};
  }
  std::uint64_t start = call.args[3];
  if (!at_offset) {
    auto open_file = tracee::open_file_of(tid(), static_cast<int>(call.args[0]));
    if (!open_file) return;
    start = open_file->position - written;
  }
  open.event.extents.push_back(Extent{RemoteAddr(start), memory().read_some(RemoteAddr(start), written), false});
}

}  // namespace tmrec::recorder
