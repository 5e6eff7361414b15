#include "recorder/shown_maps.h"

#include <fmt/format.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "recorder/task_life.h"
#include "tracee/patch/vsyscall.h"
#include "tracee/proc.h"

namespace tmrec::recorder {

namespace {

// The module whose image is mapped from `start` on, by its file's number.
const tracee::PatchedModule* imaged_at(const tracee::PatchedSpace& patches, std::uint64_t start, std::uint64_t inode) {
  const auto is_there = [&](const tracee::PatchedModule& m) {
    return m.image_inode == inode && (m.in_block(start) || !m.covered_at(RemoteAddr(start)).name.empty());
  };
  const auto found = inode == 0 ? patches.modules().end() : std::ranges::find_if(patches.modules(), is_there);
  return found == patches.modules().end() ? nullptr : &*found;
}

}  // namespace

std::string shown_line(std::string_view line, const tracee::PatchedSpace& patches) {
  unsigned long start = 0, end = 0, offset = 0, inode = 0;
  char access[5] = {};
  if (std::sscanf(std::string(line).c_str(), "%lx-%lx %4s %lx %*x:%*x %lu", &start, &end, access, &offset, &inode) <
      5) {
    return {};
  }
  const tracee::PatchedModule* module = imaged_at(patches, start, inode);
  if (module == nullptr) return {};
  tracee::MapsLine as = module->covered_at(RemoteAddr(start));
  if (as.name.empty()) offset = 0;
  std::string shown = fmt::format("{:08x}-{:08x} {} {:08x} {:02x}:{:02x} {} ", start, end, access, offset,
                                  gnu_dev_major(as.device), gnu_dev_minor(as.device), as.inode);
  if (shown.size() + as.name.size() > line.size()) return {};
  shown.append(line.size() - shown.size() - as.name.size(), ' ');
  return shown + as.name;
}

std::vector<tracee::MapsLine> as_mapped_by_program(const std::vector<tracee::MapsLine>& maps,
                                                   const tracee::PatchedSpace& patches) {
  std::vector<RemoteAddr> cuts{RemoteAddr(patch::kVsyscallTwin)};
  for (const tracee::PatchedModule& module : patches.modules()) {
    cuts.insert(cuts.end(), {module.block, RemoteAddr(page_up(module.block_end().value))});
    for (const tracee::MapsLine& line : module.covered) cuts.insert(cuts.end(), {line.start, line.end});
  }
  std::ranges::sort(cuts);
  std::vector<tracee::MapsLine> found;
  const auto add = [&](tracee::MapsLine piece) {
    const tracee::PatchedModule* const block = patches.with_block(piece.start.value);
    if (block != nullptr || piece.start.value == patch::kVsyscallTwin) return;
    if (const auto* module = imaged_at(patches, piece.start.value, piece.inode)) {
      const tracee::MapsLine as = module->covered_at(piece.start);
      piece.device = as.device;
      piece.inode = as.inode;
      piece.name = as.name;
      piece.offset = as.offset + (piece.start - as.start);
    }
    found.push_back(std::move(piece));
  };
  for (tracee::MapsLine line : maps) {
    for (const RemoteAddr cut : cuts) {
      if (!(line.start < cut && cut < line.end)) continue;
      tracee::MapsLine before = line;
      before.end = cut;
      add(std::move(before));
      line.offset += cut - line.start;
      line.start = cut;
    }
    add(std::move(line));
  }
  return found;
}

// The file as a whole says where its lines begin; it is as long as it was when the program read it, because only the
// program itself changes what is mapped.
void TaskLife::show_own_maps(const ProcRead& read) {
  constexpr std::size_t kPrefix = std::string_view("/proc/").size();
  pid_t pid = 0;
  std::from_chars(read.path.data() + std::min(kPrefix, read.path.size()), read.path.data() + read.path.size(), pid);
  const auto space = session_.space_of(pid);
  if (!space || std::ranges::all_of(space->patches.modules(), [](const auto& m) { return m.covered.empty(); })) return;
  const auto text = tracee::read_file(read.path);
  std::string piece(read.size, '\0');
  if (!text || !memory().read(read.buffer, piece.data(), piece.size())) return;
  bool changed = false;
  for (std::size_t at = 0, end = 0; at < text->size() && at < read.offset + read.size; at = end + 1) {
    end = std::min(text->find('\n', at), text->size());
    if (end <= read.offset) continue;
    const std::string_view line = std::string_view(*text).substr(at, end - at);
    const std::string shown = shown_line(line, space->patches);
    if (shown.empty()) continue;
    const std::size_t from = std::max<std::size_t>(at, read.offset),
                      to = std::min<std::size_t>(end, read.offset + read.size);
    if (std::string_view(piece).substr(from - read.offset, to - from) != line.substr(from - at, to - from)) continue;
    piece.replace(from - read.offset, to - from, shown, from - at, to - from);
    changed = true;
  }
  if (changed) memory().write(read.buffer, piece.data(), piece.size());
}

}  // namespace tmrec::recorder
