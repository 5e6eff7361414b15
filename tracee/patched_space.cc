#include "tracee/patched_space.h"

#include <sys/mman.h>

#include <algorithm>
#include <csignal>

#include "tracee/agent/agent.h"
#include "tracee/patch/emit.h"
#include "tracee/proc.h"

namespace tmrec::tracee {

using patch::Phase;

RemoteAddr text_of(const patch::Plan& plan, RemoteAddr start, std::uint64_t file_offset) {
  return RemoteAddr(start.value + (plan.text_offset - file_offset));
}

RemoteAddr block_of(const patch::Plan& plan, RemoteAddr text) {
  return RemoteAddr(text.value + (static_cast<std::uint64_t>(plan.block_va) - plan.text_va));
}

MapsLine PatchedModule::covered_at(RemoteAddr addr) const {
  const auto found =
      std::ranges::find_if(covered, [&](const MapsLine& line) { return line.start <= addr && addr < line.end; });
  return found == covered.end() ? MapsLine{} : *found;
}

void PatchedModule::show_original(RemoteAddr start, Bytes& bytes) const {
  if (start >= text_end() || start + bytes.size() <= text) return;
  const std::uint8_t* original = plan->originals().data();
  for (const patch::Edit& edit : plan->edits) {
    const std::uint64_t at = text.value + edit.program;
    for (std::uint32_t i = 0; i < edit.length; ++i, ++original) {
      if (at + i >= start.value && at + i - start.value < bytes.size()) bytes[at + i - start.value] = *original;
    }
  }
}

const PatchedModule* PatchedSpace::with_block(std::uint64_t addr) const {
  auto found = std::ranges::find_if(modules_, [&](const PatchedModule& m) { return m.in_block(addr); });
  return found == modules_.end() ? nullptr : &*found;
}

const PatchedModule* PatchedSpace::with_text(std::uint64_t addr) const {
  auto found = std::ranges::find_if(modules_, [&](const PatchedModule& m) { return m.in_text(addr) && !m.undone; });
  return found == modules_.end() ? nullptr : &*found;
}

namespace {

// The edit that covers this offset of the text.
const patch::Edit* edit_at(const patch::Plan& plan, std::uint32_t program) {
  const auto next = std::ranges::upper_bound(plan.edits, program, {}, &patch::Edit::program);
  if (next == plan.edits.begin()) return nullptr;
  const patch::Edit& edit = *std::prev(next);
  return program - edit.program < edit.length ? &edit : nullptr;
}

}  // namespace

bool PatchedSpace::is_original(std::uint64_t addr) const {
  if (with_block(addr) != nullptr) return false;
  const PatchedModule* module = with_text(addr);
  return module == nullptr || edit_at(*module->plan, static_cast<std::uint32_t>(addr - module->text.value)) == nullptr;
}

void PatchedSpace::list_blocks(const RemoteMemory& memory) const {
  std::vector<std::uint64_t> blocks;
  for (const PatchedModule& m : modules_) {
    if (!m.undone && blocks.size() < agent::kMaxBlocks) blocks.push_back(m.block.value);
  }
  blocks.push_back(0);
  memory.write(agent::kBlocks, blocks.data(), blocks.size() * sizeof blocks[0]);
}

namespace {

constexpr std::uint32_t kPiece = 1 << 20;

// Text from one edit to another: pages without any are left alone, so that they stay the file's.
struct Piece {
  std::size_t first, end;       // edits
  std::uint32_t program, size;  // of the text
  std::size_t original;         // where in Plan::originals() its begin
};

std::vector<Piece> pieces_of(const patch::Plan& plan) {
  std::vector<Piece> pieces;
  std::size_t original = 0;
  for (std::size_t i = 0; i < plan.edits.size();) {
    Piece piece{i, i + 1, plan.edits[i].program, plan.edits[i].length, original};
    original += plan.edits[i].length;
    for (; piece.end < plan.edits.size(); ++piece.end) {
      const patch::Edit& next = plan.edits[piece.end];
      const bool near = next.program - (piece.program + piece.size) < kPageSize;
      if (!near || next.program + next.length - piece.program > kPiece) break;
      piece.size = next.program + next.length - piece.program;
      original += next.length;
    }
    i = piece.end;
    pieces.push_back(piece);
  }
  return pieces;
}

// The same memory for all pieces: fresh pages cost as much as what is done with them.
patch::Bytes read_piece(const RemoteMemory& memory, const PatchedModule& module, const Piece& piece,
                        std::vector<std::uint8_t>& buffer) {
  buffer.resize(std::max<std::size_t>(buffer.size(), piece.size));
  if (!memory.read(module.text.value + piece.program, buffer.data(), piece.size)) return {};
  return patch::Bytes(buffer).first(piece.size);
}

// What is to be done with a piece's edits: `each` gets an edit's place in the piece, what the program had there, what
// the plan puts there, and its length.
template <class Each>
bool for_each_edit(const patch::Plan& plan, const Piece& piece, Each&& each) {
  const std::uint8_t* original = plan.originals().data() + piece.original;
  for (std::size_t i = piece.first; i < piece.end; ++i) {
    const patch::Edit& edit = plan.edits[i];
    if (!each(edit.program - piece.program, original, plan.edit_bytes.data() + edit.bytes, edit.length)) return false;
    original += edit.length;
  }
  return true;
}

// The kernel looks up every page that a page's worth of bytes touches: two, unless they begin with one.
bool write_piece(const RemoteMemory& memory, const PatchedModule& module, const Piece& piece,
                 const std::uint8_t* bytes) {
  const std::uint64_t at = module.text.value + piece.program;
  const std::uint64_t head = std::min<std::uint64_t>((kPageSize - at % kPageSize) % kPageSize, piece.size);
  return (head == 0 || memory.write(at, bytes, head)) && memory.write(at + head, bytes + head, piece.size - head);
}

// Where an edit's place holds the first of what `from_to` says of (what was there, what the plan puts there), it gets
// the second.
template <class FromTo>
bool exchange(const RemoteMemory& memory, const PatchedModule& module, FromTo&& from_to) {
  std::vector<std::uint8_t> buffer;
  return std::ranges::all_of(pieces_of(*module.plan), [&](const Piece& piece) {
    if (read_piece(memory, module, piece, buffer).size() != piece.size) return false;
    for_each_edit(*module.plan, piece, [&](std::uint32_t at, auto* was, auto* edit, auto size) {
      const auto [from, to] = from_to(was, edit);
      if (std::equal(from, from + size, buffer.data() + at)) std::copy_n(to, size, buffer.data() + at);
      return true;
    });
    return write_piece(memory, module, piece, buffer.data());
  });
}

}  // namespace

bool PatchedSpace::apply(const RemoteMemory& memory, PatchedModule module, Block block, patch::Bytes untouched) {
  const patch::Plan& plan = *module.plan;
  const std::vector<Piece> pieces = pieces_of(plan);
  const bool known = untouched.size() == plan.text_size;
  std::vector<std::uint8_t> buffer;
  const auto read = [&](const Piece& piece) {
    return known ? untouched.subspan(piece.program, piece.size) : read_piece(memory, module, piece, buffer);
  };
  for (const Piece& piece : pieces) {
    const patch::Bytes there = read(piece);
    const auto is_original = [&](std::uint32_t at, auto* was, auto*, auto size) {
      return std::equal(was, was + size, there.data() + at);
    };
    if (there.size() != piece.size || !for_each_edit(plan, piece, is_original)) return false;
  }
  if (block == Block::Empty && !memory.write(module.block.value, plan.block.data(), plan.block.size())) return false;
  // Whoever undoes edits that have not been made changes nothing.
  modules_.push_back(module);
  list_blocks(memory);
  return std::ranges::all_of(pieces, [&](const Piece& piece) {
    const patch::Bytes there = read(piece);
    if (there.size() != piece.size) return false;
    if (known) buffer.assign(there.begin(), there.end());
    for_each_edit(plan, piece, [&](std::uint32_t at, auto*, auto* edit, auto size) {
      return std::copy_n(edit, size, buffer.data() + at), true;
    });
    return write_piece(memory, module, piece, buffer.data());
  });
}

bool PatchedSpace::apply_undone(const RemoteMemory& memory, PatchedModule module, Block block) {
  const auto& bytes = module.plan->block;
  if (block == Block::Empty && !memory.write(module.block.value, bytes.data(), bytes.size())) return false;
  module.undone = true;
  modules_.push_back(std::move(module));
  return true;
}

void PatchedSpace::begin_image(const RemoteMemory& memory, PatchedModule module) {
  modules_.push_back(std::move(module));
  list_blocks(memory);
}

bool PatchedSpace::undo(const RemoteMemory& memory, RemoteAddr text) {
  auto module = std::ranges::find(modules_, text, &PatchedModule::text);
  if (module == modules_.end() || module->undone) return false;
  module->undone = true;
  list_blocks(memory);
  return make_original(memory, *module);
}

bool PatchedSpace::make_original(const RemoteMemory& memory, const PatchedModule& module) {
  return exchange(memory, module, [](auto* was, auto* edit) { return std::pair(edit, was); });
}

void PatchedSpace::renew(const RemoteMemory& memory, std::uint64_t start, std::uint64_t end) const {
  for (const PatchedModule& module : modules_) {
    if (module.text_end().value <= start || end <= module.text.value) continue;
    // Its file shows, or the image.
    if (module.undone && !module.covered.empty()) make_original(memory, module);
    if (!module.undone && module.covered.empty()) {
      exchange(memory, module, [](auto* was, auto* edit) { return std::pair(was, edit); });
    }
  }
}

void PatchedSpace::forget(RemoteAddr text) {
  std::erase_if(modules_, [&](const auto& m) { return m.text == text; });
}

Regs PatchedSpace::program_view(const RemoteMemory& memory, RemoteAddr area, const Regs& regs) const {
  const PatchedModule* module = with_block(regs.rip);
  if (module == nullptr) return regs;
  const patch::Place& place = module->plan->place_of(static_cast<std::uint32_t>(regs.rip - module->block.value));
  Regs program = regs;
  if (place.phase == Phase::Stub) return regs;
  program.rip = module->text.value + place.program;
  if (place.phase == Phase::Scratch || place.phase == Phase::Rescued) {
    if (auto rcx = memory.get<std::uint64_t>(area + patch::TaskArea::kScratchRcx)) program.rcx = *rcx;
  }
  // Behind a relocated system call, where the kernel leaves in rcx the address it returned to.
  if (place.phase == Phase::Going && regs.rcx == regs.rip) program.rcx = program.rip;
  return program;
}

std::optional<RemoteAddr> PatchedSpace::way_out(const siginfo_t& info, const Regs& regs) const {
  const bool breakpoint = info.si_signo == SIGTRAP && info.si_code == SI_KERNEL;
  const bool invalid = info.si_signo == SIGILL;
  const bool privileged = info.si_signo == SIGSEGV && info.si_code == SI_KERNEL;
  if (!breakpoint && !invalid && !privileged) return std::nullopt;
  const std::uint64_t at = breakpoint ? regs.rip - 1 : regs.rip;
  const PatchedModule* module = with_text(at);
  if (module == nullptr) return std::nullopt;
  const auto program = static_cast<std::uint32_t>(at - module->text.value);
  if (edit_at(*module->plan, program) == nullptr) return std::nullopt;
  const auto copies = module->plan->copies_of(program);
  if (copies.empty()) return std::nullopt;
  return module->block + copies.front();
}

std::optional<RemoteAddr> PatchedSpace::before_counting(const Regs& regs) const {
  const PatchedModule* module = with_block(regs.rip);
  if (module == nullptr) return std::nullopt;
  const patch::Place& place = module->plan->place_of(static_cast<std::uint32_t>(regs.rip - module->block.value));
  if (place.phase != Phase::Scratch) return std::nullopt;
  return module->block + place.block;
}

namespace {

bool is_code_of_a_file(const std::vector<MapsLine>& maps, std::uint64_t start, std::uint64_t end) {
  return std::ranges::any_of(maps, [&](const MapsLine& map) {
    return map.start.value <= start && end <= map.end.value && map.inode != 0 && (map.prot & PROT_EXEC) != 0 &&
           (map.prot & PROT_WRITE) == 0;
  });
}

void undo_block(const RemoteMemory& memory, const std::vector<MapsLine>& maps, std::uint64_t block) {
  auto undo = memory.get<patch::Undo>(RemoteAddr(block + patch::kUndoAt));
  if (!undo || undo->magic != patch::Undo::kMagic) return;
  std::vector<patch::UndoEntry> entries(undo->count);
  if (!memory.read(block + undo->entries, entries.data(), entries.size() * sizeof entries[0])) return;
  const std::uint64_t begin = undo->entries + entries.size() * sizeof entries[0];
  if (undo->bytes_end < begin) return;
  const Bytes original = memory.read_some(RemoteAddr(block + begin), undo->bytes_end - begin);
  const std::uint64_t text = block + static_cast<std::uint64_t>(undo->text);
  std::size_t at = 0;
  for (const patch::UndoEntry& entry : entries) {
    if (entry.length > original.size() - at) return;
    const std::uint64_t to = text + entry.program;
    if (is_code_of_a_file(maps, to, to + entry.length)) memory.write(to, original.data() + at, entry.length);
    at += entry.length;
  }
}

}  // namespace

void undo_all_patches(pid_t pid, const RemoteMemory& memory) {
  auto maps = read_maps(pid);
  if (!maps) return;
  for (std::size_t i = 0; i < agent::kMaxBlocks; ++i) {
    auto block = memory.get<std::uint64_t>(RemoteAddr(agent::kBlocks + i * sizeof(std::uint64_t)));
    if (!block || *block == 0) break;
    undo_block(memory, *maps, *block);
  }
  constexpr std::uint64_t kNone = 0;
  memory.write(agent::kBlocks, &kNone, sizeof kNone);
}

}  // namespace tmrec::tracee
