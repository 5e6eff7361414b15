#include "recorder/exec_snapshot.h"

#include <elf.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include <fmt/format.h>

#include "recorder/early_binding.h"
#include "recorder/shown_maps.h"
#include "tracee/agent/agent.h"
#include "tracee/memory_hash.h"
#include "tracee/proc.h"
#include "tracee/vdso.h"

namespace tmrec::recorder {

namespace {

// Field `number` (1-based, as proc(5) counts) of /proc/PID/stat.
std::uint64_t stat_field(const std::string& stat, int number) {
  std::size_t at = stat.rfind(')');
  if (at == std::string::npos) return 0;
  at += 2;
  for (int field = 3; field < number && at < stat.size(); ++field) at = stat.find(' ', at) + 1;
  std::uint64_t value = 0;
  if (at < stat.size()) std::from_chars(stat.data() + at, stat.data() + stat.size(), value);
  return value;
}

std::vector<std::string> split_at_nuls(const std::string& text) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = text.find('\0', at);
    if (end == std::string::npos) end = text.size();
    parts.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

// Without the vdso's addresses in the auxiliary vector, the program makes system calls (getauxval(3)).
void hide_vdso(AddressSpace& space, const Regs& regs) {
  auto stack = read_initial_stack(space.memory, regs.rsp);
  if (!stack) return;
  for (const auto& entry : stack->auxiliary) {
    if (entry.type != AT_SYSINFO_EHDR) continue;
    std::uint64_t ignore = AT_IGNORE;
    space.memory.write(entry.at.value, &ignore, sizeof ignore);
  }
}

void append_pages(Snapshot& snapshot, const AddressSpace& space, RemoteAddr start, RemoteAddr end,
                  SpaceCopy* copy = nullptr) {
  if (copy != nullptr && copy->has(start, end)) return copy->leave(snapshot, start, end);
  Bytes bytes = read_pages(space.memory, space.patches.modules(), start, end);
  if (!bytes.empty()) snapshot.pages.push_back(Extent{start, std::move(bytes), false});
}

Result<void> add_mapping(Snapshot& snapshot, pid_t pid, const tracee::MapsLine& map, AddressSpace& space,
                         Session& session, const tracee::PresentPages& present, SnapshotOf what, SpaceCopy* copy) {
  Mapping mapping;
  mapping.start = map.start;
  mapping.end = map.end;
  mapping.prot = map.prot;
  mapping.shared = map.shared;
  mapping.grows_down = map.name == "[stack]";
  mapping.name = map.name;
  bool own_pages_only = map.inode != 0;
  const bool is_memory = map.shared && what == SnapshotOf::Life;
  bool given = false;
  if (map.inode != 0 && what == SnapshotOf::Middle) {
    const auto found = session.backings().at_start(map, reachable_path(pid, map));
    if (found) {
      mapping.source = found->source;
      given = found->given;
    } else {
      own_pages_only = false;
    }
  } else if (map.inode != 0) {
    std::string path = reachable_path(pid, map);
    auto source = path.empty() ? fail(ErrorKind::System, "unreachable")
                  : is_memory  ? session.backings().map_shared(path, map.offset, map.name)
                               : session.backings().map_file(path, map.offset, map.name);
    if (!source && is_memory) {
      source = session.backings().map_memory({map.device, map.inode}, map.offset,
                                             space.memory.read_some(map.start, map.end - map.start), map.name);
    }
    if (source) {
      mapping.source = std::move(*source);
    } else {
      own_pages_only = false;  // kept as plain memory
      session.note(fmt::format("file of a mapping can't be read, its content is kept in the snapshot: {}", map.name));
    }
  }
  const bool is_object = map.shared && mapping.source.kind == MapSource::Kind::File;
  if (is_object && (what != SnapshotOf::Middle || given || !mapping.source.blob.hex.empty())) {
    // All there is to know of it.
  } else if (is_object) {
    append_pages(snapshot, space, map.start, map.end);
  } else if (own_pages_only) {
    for (const auto& run : present.private_in(map.start, map.end))
      append_pages(snapshot, space, run.start, run.end, copy);
  } else if (map.name == "[vdso]" || map.inode != 0) {
    append_pages(snapshot, space, map.start, map.end);
  } else {
    SpaceCopy* const own = map.shared ? nullptr : copy;
    for (const auto& run : present.in(map.start, map.end)) append_pages(snapshot, space, run.start, run.end, own);
  }
  snapshot.mappings.push_back(std::move(mapping));
  return {};
}

// What the kernel says of the CPU.
void limit_auxiliary(const AddressSpace& space, const Regs& regs, const CpuBaseline& baseline) {
  const auto stack = read_initial_stack(space.memory, regs.rsp);
  if (!stack || baseline.is_native()) return;
  for (const auto& entry : stack->auxiliary) {
    const RemoteAddr value = entry.at + sizeof entry.type;
    const auto bits = entry.type == AT_HWCAP2 ? space.memory.get<std::uint64_t>(value) : std::nullopt;
    if (!bits) continue;
    const std::uint64_t limited = baseline.limit_hwcap2(*bits);
    space.memory.write(value.value, &limited, sizeof limited);
  }
}

bool is_kernel_window(const std::string& name) {
  return name.starts_with("[vvar") || name == "[vsyscall]";  // [vvar_vclock] since Linux 6.13
}

Bytes read_bytes(const std::string& path) {
  auto text = tracee::read_file(path);
  return text ? Bytes(text->begin(), text->end()) : Bytes{};
}

}  // namespace

void prepare_vdso(pid_t pid, const tracee::Stopped& task, AddressSpace& space, Session& session) {
  auto maps = tracee::read_maps(pid);
  const auto vdso = maps ? std::ranges::find(*maps, "[vdso]", &tracee::MapsLine::name) : decltype(maps->begin()){};
  if (!maps || vdso == maps->end()) return session.note("no vdso");
  const Regs regs = task.regs();
  limit_auxiliary(space, regs, session.options().baseline);
  if (auto patched = tracee::patch_vdso(space.memory, vdso->start, vdso->end - vdso->start)) {
    space.vdso = vdso->start;
    space.call_gadget = patched->call_gadget;
    space.hidden_variable = bind_early(space.memory, regs.rsp, patched->bind_now);
  } else {
    session.note("vdso of unknown form, hidden from the program");
    hide_vdso(space, regs);
  }
}

// The last is open to the privileged alone (proc(5)), and shows files that were deleted.
std::string reachable_path(pid_t pid, const tracee::MapsLine& map) {
  for (const std::string& path : {fmt::format("/proc/{}/exe", pid), fmt::format("/proc/{}/root{}", pid, map.name),
                                  fmt::format("/proc/{}/map_files/{:x}-{:x}", pid, map.start.value, map.end.value)}) {
    struct stat file {};
    if (stat(path.c_str(), &file) == 0 && file.st_ino == map.inode && S_ISREG(file.st_mode) &&
        access(path.c_str(), R_OK) == 0) {
      return path;
    }
  }
  return {};
}

Result<Snapshot> take_snapshot(pid_t pid, const tracee::Stopped& task, AddressSpace& space, Session& session,
                               SnapshotOf what, SpaceCopy* copy) {
  TMREC_TRY(Snapshot snapshot, take_memory(pid, space, session, what, copy));
  snapshot.regs = task.regs();
  snapshot.xstate = task.xstate();
  return snapshot;
}

Result<Snapshot> take_memory(pid_t pid, AddressSpace& space, Session& session, SnapshotOf what, SpaceCopy* copy) {
  Snapshot snapshot;
  snapshot.task = Tid(pid);
  snapshot.process = Tid(pid);
  TMREC_TRY(auto maps, tracee::read_maps(pid));
  if (what == SnapshotOf::Middle) maps = as_mapped_by_program(maps, space.patches);
  tracee::PresentPages present(pid);
  for (const auto& map : maps) {
    if (is_kernel_window(map.name) || agent::overlaps(map.start.value, map.end.value)) continue;
    TMREC_CHECKED(add_mapping(snapshot, pid, map, space, session, present, what, copy));
    if (map.name == "[heap]") snapshot.brk = map.end.value;
  }
  snapshot.auxv = read_bytes(fmt::format("/proc/{}/auxv", pid));
  char exe[4096];
  ssize_t n = readlink(fmt::format("/proc/{}/exe", pid).c_str(), exe, sizeof exe);
  snapshot.executable.assign(exe, n > 0 ? static_cast<std::size_t>(n) : 0);
  if (auto line = tracee::read_file(fmt::format("/proc/{}/cmdline", pid))) snapshot.arguments = split_at_nuls(*line);
  if (auto stat = tracee::read_file(fmt::format("/proc/{}/stat", pid))) {
    snapshot.brk_start = stat_field(*stat, 47);
    snapshot.brk = std::max(snapshot.brk, snapshot.brk_start);
  }
  snapshot.stack_limit = tracee::limit_of(pid, RLIMIT_STACK).value_or(0);
  if (auto text = tracee::read_file(fmt::format("/proc/{}/personality", pid))) {
    snapshot.personality = static_cast<std::uint32_t>(std::strtoul(text->c_str(), nullptr, 16));
  }
  return snapshot;
}

}  // namespace tmrec::recorder
