// Patching the code of a recorded program: every module as soon as it can be executed, before it first is.
#include <asm/prctl.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <span>

#include <fmt/format.h>

#include "format/file_io.h"
#include "recorder/elf_needs.h"
#include "recorder/exec_snapshot.h"
#include "recorder/plan_choice.h"
#include "recorder/task_life.h"
#include "tracee/agent/agent.h"
#include "tracee/memory_hash.h"
#include "tracee/module_image.h"
#include "tracee/patch/vsyscall.h"
#include "tracee/proc.h"
#include "tracee/vdso.h"

namespace tmrec::recorder {

namespace {

bool is_free(const std::vector<tracee::MapsLine>& maps, RemoteAddr start, RemoteAddr end) {
  return std::ranges::none_of(maps, [&](const auto& map) { return map.start < end && start < map.end; });
}

bool may_be_patched(const tracee::MapsLine& map) {
  return (map.prot & PROT_EXEC) != 0 && (map.prot & PROT_WRITE) == 0 && !map.shared;
}

// Whether all of a module's code is mapped, as it lies in the module, around the piece that begins here. Looked at
// before a plan is made, which takes seconds: V8 maps a part of its program once more, near the code that it compiles.
bool is_complete(const std::vector<tracee::MapsLine>& maps, patch::Bytes file, RemoteAddr start, std::uint64_t offset) {
  const auto needs = read_elf_needs([file](std::uint64_t at, std::span<std::uint8_t> into) {
    const bool there = at <= file.size() && into.size() <= file.size() - at;
    if (there) std::copy_n(file.begin() + static_cast<std::ptrdiff_t>(at), into.size(), into.begin());
    return there;
  });
  if (!needs) return true;  // who makes the plan says what is wrong
  const auto is_here = [&](const ElfText& text) {
    return page_down(text.offset) <= offset && offset < text.offset + text.size;
  };
  const auto here = std::ranges::find_if(needs->texts, is_here);
  if (here == needs->texts.end()) return true;
  const std::uint64_t bias = start.value - (here->va + (offset - here->offset));
  return std::ranges::all_of(needs->texts, [&](const ElfText& text) {
    return std::ranges::any_of(maps, [&](const auto& map) {
      return may_be_patched(map) && map.start.value <= bias + text.va && bias + text.va + text.size <= map.end.value;
    });
  });
}

// Whether all that the plan changes is code that can't be written to. Between a module's executable segments there may
// be holes.
bool is_code(const std::vector<tracee::MapsLine>& maps, const patch::Plan& plan, RemoteAddr text) {
  RemoteAddr begin, end;  // of executable mappings without a hole
  auto edit = plan.edits.begin();
  for (const auto& map : maps) {
    if (!may_be_patched(map)) continue;
    if (!(map.start == end)) begin = map.start;
    end = map.end;
    const auto holds = [&](const patch::Edit& e) {
      return begin.value <= text.value + e.program && text.value + e.program + e.length <= end.value;
    };
    while (edit != plan.edits.end() && holds(*edit)) ++edit;
  }
  return edit == plan.edits.end();
}

// Whether all code mapped at the text is this file's, from its place in the file, and no page of it was ever written
// to.
bool is_untouched(pid_t tid, const std::vector<tracee::MapsLine>& maps, const patch::Plan& plan, RemoteAddr text) {
  const tracee::PresentPages present(tid);
  const tracee::MapsLine* first = nullptr;
  for (const auto& map : maps) {
    if ((map.prot & PROT_EXEC) == 0 || map.end <= text || text + plan.text_size <= map.start) continue;
    if (first == nullptr) first = &map;
    const bool same = map.inode == first->inode && map.device == first->device;
    const bool in_place = map.offset - map.start.value == plan.text_offset - text.value;
    if (map.inode == 0 || !same || !in_place || !present.private_in(map.start, map.end).empty()) return false;
  }
  return first != nullptr;
}

// What is mapped of the text, in whole pages.
std::vector<tracee::MapsLine> text_mappings(const std::vector<tracee::MapsLine>& maps, const patch::Plan& plan,
                                            RemoteAddr text) {
  const auto [first, last] = tracee::text_pages(plan);
  const std::uint64_t begin = text.value + (first - plan.text_offset), end = begin + (last - first);
  std::vector<tracee::MapsLine> found;
  for (tracee::MapsLine map : maps) {
    if ((map.prot & PROT_EXEC) == 0 || map.end.value <= begin || end <= map.start.value) continue;
    const std::uint64_t cut = begin > map.start.value ? begin - map.start.value : 0;
    map.start = map.start + cut;
    map.offset += cut;
    map.end = RemoteAddr(std::min(map.end.value, end));
    found.push_back(std::move(map));
  }
  return found;
}

// Whether memory shows what its file holds there: a program may have written to it.
bool shows_file(const tracee::RemoteMemory& memory, const tracee::MapsLine& map, std::span<const std::uint8_t> file) {
  constexpr std::uint64_t kPiece = 1 << 20;
  std::vector<std::uint8_t> piece;
  for (std::uint64_t at = map.start.value; at < map.end.value; at += piece.size()) {
    const std::uint64_t offset = map.offset + (at - map.start.value);
    if (offset >= file.size()) return true;
    piece.resize(std::min({kPiece, map.end.value - at, file.size() - offset}));
    if (!memory.read(at, piece.data(), piece.size())) return false;
    if (!std::equal(piece.begin(), piece.end(), file.begin() + static_cast<std::ptrdiff_t>(offset))) return false;
  }
  return true;
}

}  // namespace

// Nothing of this may fail the program: a module that can't be patched is left alone and named.
// `known_maps`: what is mapped now, or nothing yet; nothing again once that has changed.
void TaskLife::patch_module(RemoteAddr start, const MapSource& source, std::vector<tracee::MapsLine>& known_maps) {
  if (!counts() || space_->patches_off || source.kind != MapSource::Kind::File || source.blob.hex.empty()) return;
  if (session_.is_left_alone(source.path)) return session_.note(fmt::format("not patched, as asked: {}", source.path));
  if (known_maps.empty()) known_maps = tracee::read_maps(tid()).value_or(std::vector<tracee::MapsLine>());
  const std::vector<tracee::MapsLine>& maps = known_maps;
  const auto file = MappedFile::open(session_.blobs().path_of(source.blob));
  if (maps.empty() || !file || !is_complete(maps, file->bytes(), start, source.offset)) return;
  std::string why = "no room for trampolines";
  for (const patch::Reach reach : reaches_at(start)) {
    auto made = session_.plan(source, reach);
    if (!made) {
      why = made.error().text;
      if (why == patch::kUsesGs) leave_gs_to_program();
      if (why == patch::kUsesGs) break;
      continue;
    }
    const patch::Plan& plan = *(*made)->plan;
    const RemoteAddr text = tracee::text_of(plan, start, source.offset), block = tracee::block_of(plan, text);
    // Not even when its patches were undone: it has been writable since, and the plan is that of the file.
    const auto& known = space_->patches.modules();
    if (std::ranges::find(known, text, &tracee::PatchedModule::text) != known.end()) return;
    if (plan.code_bytes < plan.text_size / 2) {
      session_.note(fmt::format("patched in part, for want of symbols and unwind tables: {}", source.path));
    }
    if (plan.edits.empty() || !is_code(maps, plan, text)) return;
    if (!is_free(maps, block, block + plan.block.size())) continue;
    Patching patching{**made, {text, block, (*made)->plan, source.path}};
    if (plan.text_offset + plan.text_size <= file->bytes().size() && is_untouched(tid(), maps, plan, text)) {
      patching.untouched = file->bytes().subspan(plan.text_offset, plan.text_size);
      // What joined programs have mapped is theirs again when the recording ends.
      if (!session_.ledger()) patching.image = session_.image(source, *made);
      patching.covered = text_mappings(maps, plan, text);
    }
    known_maps.clear();
    return apply_plan(patching);
  }
  session_.note(fmt::format("not patched, {}: {}", why, source.path));
}

void TaskLife::patch_module(RemoteAddr start, const MapSource& source) {
  std::vector<tracee::MapsLine> maps;
  patch_module(start, source, maps);
}

void TaskLife::apply_plan(const Patching& patching) {
  const tracee::PatchedModule& module = patching.module;
  auto stored = session_.store_plan(patching.made);
  if (!stored) throw sched::EndRecording{stored.error().text};
  std::string why;
  if (module.plan->needs_vsyscall_twin() && !map_vsyscall_twin()) {
    why = "no room for what stands for the vsyscall page";
  } else if (const BlockFile from = open_block(patching, *stored);
             !from.is_image || !map_image(patching, *from.fd, from.offset)) {
    why = write_edits(patching, from.is_image ? BlockFile() : from);
  }
  if (!why.empty()) return session_.note(fmt::format("not patched, {}: {}", why, module.name));
  session_.applied(module.plan, stored->id);
  session_.append(tid(), PatchEvent{PatchEvent::Kind::Applied, module.text, module.block, stored->id, module.name});
}

tracee::WantedCall TaskLife::mapping_of_block(const tracee::PatchedModule& module, std::uint64_t flags,
                                              std::uint64_t fd, std::uint64_t offset) {
  return {SYS_mmap,
          {module.block.value, module.plan->block.size(), PROT_READ | PROT_EXEC,
           flags | MAP_PRIVATE | MAP_FIXED_NOREPLACE, fd, offset}};
}

// Into the process's own pages. Gives what went wrong.
std::string TaskLife::write_edits(const Patching& patching, const BlockFile& from) {
  const tracee::PatchedModule& module = patching.module;
  const auto is_mapped = [&](const tracee::WantedCall& call) {
    return call_in_a_row({&call, 1}).front() == static_cast<std::int64_t>(module.block.value);
  };
  const bool filled = from.fd && is_mapped(mapping_of_block(module, 0, *from.fd, from.offset));
  if (from.fd) call_remotely(SYS_close, {*from.fd});
  if (!filled && !is_mapped(mapping_of_block(module, MAP_ANONYMOUS, ~0ull, 0))) return "no memory for trampolines";
  using Block = tracee::PatchedSpace::Block;
  if (space_->patches.apply(memory(), module, filled ? Block::Filled : Block::Empty, patching.untouched)) return {};
  call_remotely(SYS_munmap, {module.block.value, module.plan->block.size()});
  return "its memory is not what its file says";
}

// Trampolines and text from the file that is open in the task, and is closed. The list of blocks comes first: whoever
// undoes edits that have not been made changes nothing. False: it could not be mapped.
bool TaskLife::map_image(const Patching& patching, std::uint64_t fd, std::uint64_t block_at) {
  tracee::PatchedModule module = patching.module;
  module.covered = patching.covered;
  struct stat image {};
  if (fstat(patching.image->file->get(), &image) == 0) module.image_inode = image.st_ino;
  space_->patches.begin_image(memory(), module);
  std::vector<tracee::WantedCall> calls{mapping_of_block(module, 0, fd, block_at)};
  for (const tracee::MapsLine& map : patching.covered) {
    calls.push_back({SYS_mmap,
                     {map.start.value, map.end - map.start, static_cast<std::uint64_t>(map.prot),
                      MAP_PRIVATE | MAP_FIXED, fd, map.offset}});
  }
  calls.push_back({SYS_close, {fd}});
  const auto results = call_in_a_row(calls);
  if (results.size() == calls.size()) return true;
  call_remotely(SYS_close, {fd});
  if (results.size() > 1) call_remotely(SYS_munmap, {module.block.value, module.plan->block.size()});
  space_->patches.undo(memory(), module.text);
  space_->patches.forget(module.text);
  return false;
}

// What code that calls the vsyscall page is led to.
bool TaskLife::map_vsyscall_twin() {
  const std::vector<std::uint8_t> twin = patch::vsyscall_twin();
  std::vector<std::uint8_t> there(twin.size());
  if (memory().read(patch::kVsyscallTwin, there.data(), there.size())) return there == twin;
  constexpr std::uint64_t kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
  const std::int64_t at =
      call_remotely(SYS_mmap, {patch::kVsyscallTwin, twin.size(), PROT_READ | PROT_EXEC, kFlags, ~0ull, 0});
  return at == static_cast<std::int64_t>(patch::kVsyscallTwin) &&
         memory().write(patch::kVsyscallTwin, twin.data(), twin.size());
}

// A file of ours, opened in the task. nullopt: the program can't open it (another root, another user), or asked the
// kernel to watch its calls. Safe: the content was verified, nobody but this user can reach the file, and it is
// replaced but never written again.
std::optional<std::uint64_t> TaskLife::open_remotely(const std::filesystem::path& path, const Fd& verified) {
  std::error_code failed;
  const std::string absolute = std::filesystem::absolute(path, failed);
  if (failed || absolute.size() >= agent::kArgumentsSize) return std::nullopt;
  if (!memory().write(agent::kArguments, absolute.c_str(), absolute.size() + 1)) return std::nullopt;
  constexpr std::uint64_t kOpenFlags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
  const auto here = static_cast<std::uint64_t>(std::int64_t{AT_FDCWD});
  const tracee::WantedCall call{SYS_openat, {here, agent::kArguments, kOpenFlags}};
  const std::int64_t fd = call_in_a_row({&call, 1}).front();
  if (fd < 0) return std::nullopt;
  // Its path may lead elsewhere than ours.
  if (tracee::has_open(tid(), static_cast<int>(fd), verified.get())) return static_cast<std::uint64_t>(fd);
  call_remotely(SYS_close, {static_cast<std::uint64_t>(fd)});
  return std::nullopt;
}

// All processes share the pages of what is mapped from a file.
TaskLife::BlockFile TaskLife::open_block(const Patching& patching, const Session::StoredPlan& stored) {
  if (tracee::has_seccomp_filter(tid())) return {};
  // Lines of /proc/PID/maps are shown with the module's name in the place of the image's.
  const auto has_room = [&](const tracee::MapsLine& map) {
    return map.name.size() <= patching.image->path.native().size();
  };
  if (const auto& image = patching.image; image && std::ranges::all_of(patching.covered, has_room)) {
    if (const auto fd = open_remotely(image->path, *image->file)) return {fd, image->block_at, true};
  }
  const std::uint64_t in_plan = patching.module.plan->block_in_file;
  if (!stored.file || in_plan == 0) return {};
  return {open_remotely(session_.blobs().path_of(stored.id), *stored.file), in_plan, false};
}

// At a program's first instruction.
void TaskLife::patch_program(const std::vector<Mapping>& mappings) {
  std::vector<tracee::MapsLine> maps;
  for (const Mapping& mapping : mappings) {
    if ((mapping.prot & PROT_EXEC) != 0 && !mapping.shared) patch_module(mapping.start, mapping.source, maps);
  }
}

// After a call that changed the address space.
void TaskLife::follow_mappings(const syscalls::Call& call, std::int64_t ret, const std::optional<MapSource>& mapping) {
  if (!counts() || (ret < 0 && ret > -4096)) return;
  const auto& args = call.args;
  switch (call.nr) {
    case SYS_mmap: {
      const auto start = static_cast<std::uint64_t>(ret);
      drop_unmapped(start, start + page_up(args[1]));
      constexpr std::uint64_t kWanted = PROT_READ | PROT_EXEC;
      if (mapping && (args[2] & (kWanted | PROT_WRITE)) == kWanted && (args[3] & MAP_TYPE) == MAP_PRIVATE) {
        patch_module(RemoteAddr(start), *mapping);
      }
      if ((args[2] & PROT_EXEC) != 0) look_for_tsc(start, args[1]);
      return;
    }
    case SYS_munmap:
      return drop_unmapped(args[0], args[0] + page_up(args[1]));
    case SYS_mremap:
      drop_unmapped(args[0], args[0] + page_up(args[1]));
      return drop_unmapped(static_cast<std::uint64_t>(ret), static_cast<std::uint64_t>(ret) + page_up(args[2]));
    case SYS_madvise:
      if (args[2] == MADV_DONTNEED) space_->patches.renew(memory(), args[0], args[0] + page_up(args[1]));
      return;
    case SYS_mprotect:
    case SYS_pkey_mprotect:
      if ((args[2] & PROT_EXEC) != 0 && (args[2] & PROT_WRITE) == 0) patch_range(args[0], args[0] + page_up(args[1]));
      if ((args[2] & PROT_EXEC) != 0) look_for_tsc(args[0], args[1]);
      return;
    case SYS_shmat:
      return (args[2] & SHM_EXEC) != 0 ? expect_tsc_anywhere() : void();
    default:
      return;
  }
}

// Modules of which this call has removed or replaced all of the text; a part of it leaves the rest in use.
void TaskLife::drop_unmapped(std::uint64_t start, std::uint64_t end) {
  std::vector<tracee::PatchedModule> gone;
  for (const auto& module : space_->patches.modules()) {
    if (start <= module.text.value && end >= module.text_end().value) gone.push_back(module);
  }
  for (const auto& module : gone) {
    call_remotely(SYS_munmap, {module.block.value, module.plan->block.size()});
    space_->patches.forget(module.text);
    session_.append(tid(), PatchEvent{PatchEvent::Kind::Unmapped, module.text, module.block, {}, module.name});
  }
}

// Memory that has become executable: code of a loader that maps first and protects later.
void TaskLife::patch_range(std::uint64_t start, std::uint64_t end) {
  auto maps = tracee::read_maps(tid());
  if (!maps) return;
  const auto is_known = [this](RemoteAddr begin, RemoteAddr end) {
    return std::ranges::any_of(space_->patches.modules(), [&](const auto& module) {
      return (module.text < end && begin < module.text_end()) || (module.block < end && begin < module.block_end());
    });
  };
  for (const auto& map : *maps) {
    if (map.start.value < start || map.start.value >= end || map.inode == 0 || map.shared) continue;
    if ((map.prot & PROT_EXEC) == 0 || (map.prot & PROT_WRITE) != 0) continue;
    const std::string path = fmt::format("/proc/{}/root{}", tid(), map.name);
    struct stat file {};
    if (stat(path.c_str(), &file) < 0 || file.st_ino != map.inode) continue;
    if (is_known(map.start, map.end)) continue;
    auto source = session_.backings().map_file(path, map.offset, map.name);
    if (!source || source->blob.hex.empty()) continue;
    auto content = MappedFile::open(session_.blobs().path_of(source->blob));
    if (content && shows_file(memory(), map, content->bytes())) {
      patch_module(map.start, *source);
    } else {
      session_.note(fmt::format("not patched, the program has written to it: {}", map.name));
    }
  }
}

// A call after which the program may write to its text, has it elsewhere, or uses %gs itself.
bool TaskLife::writes_to_code(const syscalls::Call& call) const {
  if (!counts()) return false;
  const auto& args = call.args;
  if (call.nr == SYS_arch_prctl && args[0] == ARCH_SET_GS) return true;
  if (call.nr == SYS_mremap) return is_patched_in(args[0], args[0] + page_up(args[1]));
  if ((call.nr != SYS_mprotect && call.nr != SYS_pkey_mprotect) || (args[2] & PROT_WRITE) == 0) return false;
  return is_patched_in(args[0], args[0] + page_up(args[1]));
}

bool TaskLife::is_patched_in(std::uint64_t start, std::uint64_t end) const {
  return std::ranges::any_of(space_->patches.modules(), [&](const auto& module) {
    return !module.undone && module.text.value < end && module.text_end().value > start;
  });
}

void TaskLife::undo_patches_for(const syscalls::Call& call) {
  if (call.nr == SYS_arch_prctl && call.args[0] == ARCH_SET_GS) return leave_gs_to_program();
  undo_patches(call.args[0], call.args[0] + page_up(call.args[1]));
}

// Tasks whose %gs leads to their area keep it, since they may be in a trampoline, until they set it themselves.
void TaskLife::leave_gs_to_program() {
  session_.note("the program uses %gs: ticks are not counted");
  space_->patches_off = true;
  undo_patches(0, ~std::uint64_t{0});
  if (!std::exchange(space_->vdso_led, false)) return;
  tracee::lead_vdso_to(memory(), space_->vdso, tracee::kMostOfVdso, 0);
  session_.append(tid(), PatchEvent{PatchEvent::Kind::Undone, space_->vdso, {}, {}, "[vdso]"});
}

// Whether one of a program's modules does, so that nothing of it need be patched.
bool Session::uses_gs(const std::vector<Mapping>& mappings) {
  return std::ranges::any_of(mappings, [this](const Mapping& mapping) {
    const MapSource& source = mapping.source;
    if ((mapping.prot & PROT_EXEC) == 0 || mapping.shared) return false;
    if (source.kind != MapSource::Kind::File || source.blob.hex.empty()) return false;
    if (is_left_alone(source.path)) return false;
    for (const patch::Reach reach : reaches_at(mapping.start)) {
      const auto made = plan(source, reach);
      if (made) return false;
      if (made.error().text == patch::kUsesGs) return true;
    }
    return false;
  });
}

// Stores files and plans beforehand, so that a running program need not wait for that.
void Session::prepare_modules(pid_t pid) {
  const auto maps = tracee::read_maps(pid);
  if (!maps) return;
  if (is_worth_a_copy(pid)) advice_before_[pid] = fork_advice(pid);
  for (const auto& map : *maps) {
    if (map.inode == 0 || map.shared) continue;
    const std::string path = reachable_path(pid, map);
    if (path.empty()) continue;
    const auto source = backings_.map_file(path, map.offset, map.name);
    if (!source || (map.prot & PROT_EXEC) == 0 || source->blob.hex.empty()) continue;
    if (!options_.count_ticks || is_left_alone(source->path)) continue;
    // As patch_module() will ask for them.
    for (const patch::Reach reach : reaches_at(map.start)) {
      const auto made = plan(*source, reach);
      if (!made) continue;
      const tracee::EncodedPlan& plan = **made;
      const RemoteAddr text = tracee::text_of(*plan.plan, map.start, source->offset);
      const RemoteAddr block = tracee::block_of(*plan.plan, text);
      if (!plan.plan->edits.empty() && !is_free(*maps, block, block + plan.plan->block.size())) continue;
      if (auto stored = store_plan(plan); !stored) return;
      break;
    }
  }
}

void TaskLife::undo_patches(std::uint64_t start, std::uint64_t end) {
  std::vector<tracee::PatchedModule> touched;
  for (const auto& module : space_->patches.modules()) {
    if (!module.undone && module.text.value < end && module.text_end().value > start) touched.push_back(module);
  }
  if (!touched.empty()) expect_tsc_anywhere();
  for (const auto& module : touched) {
    space_->patches.undo(memory(), module.text);
    session_.append(tid(), PatchEvent{PatchEvent::Kind::Undone, module.text, module.block, {}, module.name});
  }
}

}  // namespace tmrec::recorder
