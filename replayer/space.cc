#include "replayer/space.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/syscall.h>

#include <fmt/format.h>

#include "tracee/agent/agent.h"
#include "tracee/memory_hash.h"
#include "tracee/patch/vsyscall.h"
#include "tracee/proc.h"

namespace tmrec::replayer {

namespace {

constexpr std::uint64_t u64(std::int64_t value) { return static_cast<std::uint64_t>(value); }

// <linux/mman.h>; newer than some headers.
constexpr std::uint64_t kMadvRemove = 9, kMadvDontneedLocked = 24, kMadvWipeOnFork = 18, kMadvKeepOnFork = 19;

Result<void> expect(const char* what, std::int64_t actual, std::int64_t recorded) {
  if (actual == recorded) return {};
  return fail(ErrorKind::Desync, fmt::format("{} gave {:#x}, recorded {:#x}", what, actual, recorded));
}

bool succeeded(std::int64_t ret) { return ret >= 0 || ret < -4095; }

bool touches_stub(std::uint64_t start, std::uint64_t size) {
  const std::uint64_t end = size > ~start ? ~std::uint64_t{0} : start + size;
  return (start < kStubPage + kStubSize && end > kStubPage) || agent::overlaps(start, end);
}

}  // namespace

// The trace is hostile input: the code that calls the kernel for the replayer stays what it is.
Result<void> Space::make_way(tracee::Stopped& task, std::uint64_t start, std::uint64_t size) {
  if (touches_stub(start, size)) {
    return fail(ErrorKind::BadTrace,
                fmt::format("the program changed its memory at {:#x}, which the replayer needs", kStubPage));
  }
  detours.give_way(task, start, start + size);
  return {};
}

Result<int> Space::fd_in_stub(tracee::Stopped& task, int fd, bool writable) {
  return open_in_stub(task, memory_, fd, writable ? O_RDWR : O_RDONLY);
}

Result<void> Space::map(tracee::Stopped& task, std::uint64_t start, std::uint64_t size, int prot, int flags,
                        const MapSource& source, Objects& objects) {
  TMREC_CHECKED(make_way(task, start, size));
  forget(start, start + page_up(size));
  bool shared = (flags & MAP_SHARED) != 0;
  shares_memory_ |= shared;
  if (source.kind != MapSource::Kind::File) {
    std::int64_t at =
        call_in_stub(task, SYS_mmap,
                     {start, size, static_cast<std::uint64_t>(prot),
                      static_cast<std::uint64_t>(flags | MAP_FIXED | MAP_ANONYMOUS), ~std::uint64_t{0}, 0});
    return expect("mapping memory", at, static_cast<std::int64_t>(start));
  }
  TMREC_TRY(int shown, objects.show(source, shared));
  TMREC_TRY(int fd, fd_in_stub(task, shown, shared));
  std::int64_t at =
      call_in_stub(task, SYS_mmap,
                   {start, size, static_cast<std::uint64_t>(prot), static_cast<std::uint64_t>(flags | MAP_FIXED),
                    static_cast<std::uint64_t>(fd), source.offset});
  call_in_stub(task, SYS_close, {static_cast<std::uint64_t>(fd)});
  if (!shared) objects_shown_[start] = {start + page_up(size), source.backing, source.offset};
  return expect("mapping a file", at, static_cast<std::int64_t>(start));
}

namespace {

// Shared memory of a recording that the replay does not see the beginning of.
bool is_filled_by_pages(const Mapping& mapping) {
  return mapping.shared && mapping.source.kind == MapSource::Kind::File && mapping.source.blob.hex.empty();
}

}  // namespace

Result<Space> Space::build(tracee::Stopped& stub, const Snapshot& snapshot, Objects& objects) {
  TMREC_TRY(auto memory, tracee::RemoteMemory::open(stub.tid()));
  Space space(std::move(memory));
  space.brk_ = snapshot.brk;
  struct rlimit stack {};
  if (prlimit(stub.tid(), RLIMIT_STACK, nullptr, &stack) == 0) {
    stack.rlim_cur = std::min<rlim_t>(snapshot.stack_limit, stack.rlim_max);
    prlimit(stub.tid(), RLIMIT_STACK, &stack, nullptr);
  }
  if ((snapshot.personality & READ_IMPLIES_EXEC) != 0) {
    call_in_stub(stub, SYS_personality, {snapshot.personality});
  }
  for (const Mapping& mapping : snapshot.mappings) {
    int flags = mapping.shared ? MAP_SHARED : MAP_PRIVATE;
    if (mapping.grows_down) flags |= MAP_GROWSDOWN | MAP_STACK;
    if (mapping.source.kind != MapSource::Kind::File) flags |= MAP_NORESERVE;  // a program may reserve terabytes
    if (mapping.name == "[vdso]") space.vdso_ = mapping.start.value;
    // The pages of one that is shared are written through it.
    const bool filled = is_filled_by_pages(mapping);
    if (filled) TMREC_CHECKED(objects.make_room(mapping.source));
    TMREC_CHECKED(space.map(stub, mapping.start.value, mapping.end - mapping.start,
                            filled ? PROT_READ | PROT_WRITE : mapping.prot, flags, mapping.source, objects));
    // Attached segments can be detached (shmdt(2)).
    if (mapping.shared && mapping.source.path.starts_with("/SYSV")) {
      space.segments_[mapping.start.value] = mapping.end - mapping.start;
    }
  }
  for (const Extent& page : snapshot.pages) {
    if (!space.write(page.addr, page.bytes)) {
      return fail(ErrorKind::BadTrace,
                  fmt::format("the snapshot has content at {:#x}, where it maps nothing", page.addr.value));
    }
  }
  for (const Mapping& mapping : snapshot.mappings) {
    constexpr int kWritable = PROT_READ | PROT_WRITE;
    if (!is_filled_by_pages(mapping) || mapping.prot == kWritable) continue;
    const std::int64_t done =
        call_in_stub(stub, SYS_mprotect,
                     {mapping.start.value, mapping.end - mapping.start, static_cast<std::uint64_t>(mapping.prot)});
    TMREC_CHECKED(expect("mprotect", done, 0));
  }
  return space;
}

bool Space::write(RemoteAddr addr, const Bytes& bytes) const {
  return !touches_stub(addr.value, bytes.size()) && memory_.write(addr.value, bytes.data(), bytes.size());
}

Result<Space> Space::forked(tracee::Stopped& stub) const {
  TMREC_TRY(auto memory, tracee::RemoteMemory::open(stub.tid()));
  Space copy(std::move(memory));
  copy.brk_ = brk_;
  copy.vdso_ = vdso_;
  copy.objects_shown_ = objects_shown_;
  copy.segments_ = segments_;
  copy.shares_memory_ = shares_memory_;
  copy.fork_advice_ = fork_advice_;
  copy.patches = patches;
  copy.detours = detours;
  copy.repeats_calls_ = repeats_calls_;
  return copy;
}

Result<void> Space::install_agent(tracee::Stopped& task) {
  constexpr std::uint64_t kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
  std::int64_t at =
      call_in_stub(task, SYS_mmap, {agent::kBase, agent::kSize, PROT_READ | PROT_WRITE, kFlags, ~std::uint64_t{0}, 0});
  TMREC_CHECKED(expect("mapping the agent", at, static_cast<std::int64_t>(agent::kBase)));
  if (!agent::install(memory_)) return fail(ErrorKind::System, "cannot write the agent into a process to replay in");
  at = call_in_stub(task, SYS_mprotect, {agent::kBase, agent::kExecutable, PROT_READ | PROT_EXEC});
  return expect("protecting the agent", at, 0);
}

Result<void> Space::install_calls(tracee::Stopped& task, int fd) {
  if (repeats_calls_) return {};
  if (!agent::install_calls(memory_))
    return fail(ErrorKind::System, "cannot write the agent into a process to replay in");
  TMREC_TRY(const int in_stub, fd_in_stub(task, fd, true));
  const auto file = static_cast<std::uint64_t>(in_stub);
  constexpr std::uint64_t kFlags = MAP_SHARED | MAP_FIXED;
  const std::int64_t at =
      call_in_stub(task, SYS_mmap, {agent::kRing, agent::kRingSize, PROT_READ | PROT_WRITE, kFlags, file, 0});
  call_in_stub(task, SYS_close, {file});
  repeats_calls_ = true;
  return expect("mapping the agent's calls", at, static_cast<std::int64_t>(agent::kRing));
}

Result<tracee::PatchedSpace::Block> Space::map_block(tracee::Stopped& task, RemoteAddr block, const patch::Plan& plan,
                                                     RemoteAddr text, int fd) {
  using Block = tracee::PatchedSpace::Block;
  const std::uint64_t size = plan.block.size();
  TMREC_CHECKED(make_way(task, block.value, size));
  TMREC_CHECKED(make_way(task, text.value, plan.text_size));
  constexpr std::uint64_t kFlags = MAP_PRIVATE | MAP_FIXED_NOREPLACE, kProt = PROT_READ | PROT_EXEC;
  if (plan.needs_vsyscall_twin() && !memory_.get<std::uint8_t>(RemoteAddr(patch::kVsyscallTwin))) {
    const std::vector<std::uint8_t> twin = patch::vsyscall_twin();
    const std::int64_t at = call_in_stub(
        task, SYS_mmap, {patch::kVsyscallTwin, twin.size(), kProt, kFlags | MAP_ANONYMOUS, ~std::uint64_t{0}, 0});
    TMREC_CHECKED(
        expect("mapping what stands for the vsyscall page", at, static_cast<std::int64_t>(patch::kVsyscallTwin)));
    memory_.write(patch::kVsyscallTwin, twin.data(), twin.size());
  }
  if (plan.block_in_file != 0) {
    TMREC_TRY(const int in_stub, fd_in_stub(task, fd, false));
    const auto file = static_cast<std::uint64_t>(in_stub);
    const std::int64_t at = call_in_stub(task, SYS_mmap, {block.value, size, kProt, kFlags, file, plan.block_in_file});
    call_in_stub(task, SYS_close, {file});
    if (at == static_cast<std::int64_t>(block.value)) return Block::Filled;  // else: a file system without execution
  }
  const std::int64_t at =
      call_in_stub(task, SYS_mmap, {block.value, size, kProt, kFlags | MAP_ANONYMOUS, ~std::uint64_t{0}, 0});
  TMREC_CHECKED(expect("mapping trampolines", at, static_cast<std::int64_t>(block.value)));
  return Block::Empty;
}

void Space::forget(std::uint64_t start, std::uint64_t end) {
  auto it = objects_shown_.lower_bound(start);
  if (it != objects_shown_.begin()) {
    auto before = std::prev(it);
    if (before->second.end > start) {
      ObjectMapping whole = before->second;
      before->second.end = start;
      if (whole.end > end) {
        objects_shown_[end] = {whole.end, whole.backing, whole.offset + (end - before->first)};
      }
    }
  }
  while (it != objects_shown_.end() && it->first < end) {
    ObjectMapping whole = it->second;
    std::uint64_t from = it->first;
    it = objects_shown_.erase(it);
    if (whole.end > end) objects_shown_[end] = {whole.end, whole.backing, whole.offset + (end - from)};
  }
}

bool Space::shows(BackingId backing) const {
  for (const auto& [start, mapping] : objects_shown_) {
    if (mapping.backing == backing) return true;
  }
  return false;
}

Result<void> Space::show_memfd(tracee::Stopped& task, BackingId backing, int fd) {
  TMREC_TRY(auto maps, tracee::read_maps(task.tid()));
  tracee::PresentPages present(task.tid());
  TMREC_TRY(int in_stub, fd_in_stub(task, fd, false));
  for (const auto& [start, mapping] : objects_shown_) {
    if (!(mapping.backing == backing)) continue;
    for (const auto& map : maps) {  // a mapping may have parts of different protection
      std::uint64_t from = std::max(start, map.start.value), to = std::min(mapping.end, map.end.value);
      if (from >= to) continue;
      std::vector<Extent> kept;
      for (const auto& run : present.private_in(RemoteAddr(from), RemoteAddr(to))) {
        kept.push_back({run.start, memory_.read_some(run.start, run.end - run.start), false});
      }
      std::int64_t at = call_in_stub(task, SYS_mmap,
                                     {from, to - from, static_cast<std::uint64_t>(map.prot), MAP_PRIVATE | MAP_FIXED,
                                      static_cast<std::uint64_t>(in_stub), mapping.offset + (from - start)});
      TMREC_CHECKED(expect("mapping a changed file", at, static_cast<std::int64_t>(from)));
      for (const Extent& page : kept) memory_.write(page.addr.value, page.bytes.data(), page.bytes.size());
    }
  }
  call_in_stub(task, SYS_close, {static_cast<std::uint64_t>(in_stub)});
  return {};
}

Result<void> Space::perform(tracee::Stopped& task, std::uint32_t number, const std::uint64_t (&args)[6],
                            std::int64_t ret, const std::optional<MapSource>& source, Objects& objects) {
  switch (number) {
    case SYS_munmap:
    case SYS_mprotect:
    case SYS_pkey_mprotect:
    case SYS_madvise:
      if (!succeeded(ret) && touches_stub(args[0], page_up(args[1]))) return {};
      TMREC_CHECKED(make_way(task, args[0], page_up(args[1])));
      break;
    default:
      break;
  }
  switch (number) {
    case SYS_mmap:
      return succeeded(ret) ? perform_mmap(task, args, ret, source, objects) : Result<void>{};
    case SYS_mremap:
      return succeeded(ret) ? perform_mremap(task, args, ret) : Result<void>{};
    case SYS_brk:
      return perform_brk(task, ret);
    case SYS_munmap:
      if (succeeded(ret)) forget(args[0], args[0] + page_up(args[1]));
      return expect("munmap", call_in_stub(task, SYS_munmap, {args[0], args[1]}), ret);
    case SYS_mprotect:
    case SYS_pkey_mprotect:
      return expect("mprotect", call_in_stub(task, SYS_mprotect, {args[0], args[1], args[2]}), ret);
    case SYS_madvise: {
      std::uint64_t advice = args[2];
      if (advice == MADV_FREE || advice == kMadvDontneedLocked) advice = MADV_DONTNEED;
      bool changes = advice == MADV_DONTNEED || advice == kMadvRemove || advice == MADV_DONTFORK ||
                     advice == MADV_DOFORK || advice == kMadvWipeOnFork || advice == kMadvKeepOnFork;
      if (changes) call_in_stub(task, SYS_madvise, {args[0], args[1], advice});
      if (advice == MADV_DONTNEED) patches.renew(memory(), args[0], args[0] + page_up(args[1]));
      note_advice(args[0], args[1], advice);
      return {};
    }
    case SYS_shmat:
      return succeeded(ret) ? perform_shmat(task, args, ret, source, objects) : Result<void>{};
    case SYS_shmdt: {
      auto segment = segments_.find(args[0]);
      if (ret != 0 || segment == segments_.end()) return {};
      forget(args[0], args[0] + segment->second);
      std::int64_t done = call_in_stub(task, SYS_munmap, {args[0], segment->second});
      segments_.erase(segment);
      return expect("shmdt", done, 0);
    }
    default:
      return fail(ErrorKind::BadTrace, fmt::format("system call {} is no memory management", number));
  }
}

Result<void> Space::perform_mmap(tracee::Stopped& task, const std::uint64_t (&args)[6], std::int64_t ret,
                                 const std::optional<MapSource>& source, Objects& objects) {
  constexpr int kKept = MAP_GROWSDOWN | MAP_NORESERVE | MAP_STACK;
  int flags = static_cast<int>(args[3]) & kKept;
  flags |= (args[3] & MAP_TYPE) == MAP_PRIVATE ? MAP_PRIVATE : MAP_SHARED;
  return map(task, u64(ret), args[1], static_cast<int>(args[2]), flags, source.value_or(MapSource{}), objects);
}

Result<void> Space::perform_mremap(tracee::Stopped& task, const std::uint64_t (&args)[6], std::int64_t ret) {
  std::uint64_t old_start = args[0], old_size = page_up(args[1]), new_size = page_up(args[2]), to = u64(ret);
  TMREC_CHECKED(make_way(task, old_start, std::max(old_size, kPageSize)));
  TMREC_CHECKED(make_way(task, to, new_size));
  std::uint64_t flags =
      (args[3] & ~std::uint64_t{MREMAP_FIXED}) | (to != old_start ? MREMAP_MAYMOVE | MREMAP_FIXED : 0);
  std::int64_t done = call_in_stub(task, SYS_mremap, {old_start, args[1], args[2], flags, to});
  TMREC_CHECKED(expect("mremap", done, ret));
  auto at = objects_shown_.upper_bound(old_start);
  if (at != objects_shown_.begin() && std::prev(at)->second.end > old_start) {
    ObjectMapping moved = std::prev(at)->second;
    moved.offset += old_start - std::prev(at)->first;
    forget(old_start, old_start + std::max(old_size, to == old_start ? new_size : 0));
    if (to != old_start) forget(to, to + new_size);
    objects_shown_[to] = {to + new_size, moved.backing, moved.offset};
  } else {
    forget(to, to + new_size);
  }
  return {};
}

// The heap of a stub is plain memory at the recorded addresses.
Result<void> Space::perform_brk(tracee::Stopped& task, std::int64_t ret) {
  std::uint64_t from = page_up(brk_), to = page_up(u64(ret));
  TMREC_CHECKED(make_way(task, std::min(from, to), std::max(from, to) - std::min(from, to)));
  brk_ = u64(ret);
  if (to > from) {
    std::int64_t at = call_in_stub(
        task, SYS_mmap,
        {from, to - from, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, ~std::uint64_t{0}, 0});
    return expect("growing the heap", at, static_cast<std::int64_t>(from));
  }
  if (to < from) return expect("shrinking the heap", call_in_stub(task, SYS_munmap, {to, from - to}), 0);
  return {};
}

Result<void> Space::perform_shmat(tracee::Stopped& task, const std::uint64_t (&args)[6], std::int64_t ret,
                                  const std::optional<MapSource>& source, Objects& objects) {
  if (!source) return fail(ErrorKind::BadTrace, "shmat without its segment");
  int prot = PROT_READ | ((args[2] & SHM_RDONLY) ? 0 : PROT_WRITE) | ((args[2] & SHM_EXEC) ? PROT_EXEC : 0);
  segments_[u64(ret)] = source->size;
  return map(task, u64(ret), source->size, prot, MAP_SHARED, *source, objects);
}

}  // namespace tmrec::replayer
