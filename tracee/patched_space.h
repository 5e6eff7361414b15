// The patched modules of one address space: where their trampolines are, and what an address in them means to the
// program. Used alike by recorder and replayer, so that both do the same.
#pragma once

#include <csignal>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "format/event.h"
#include "tracee/patch/plan.h"
#include "tracee/proc.h"
#include "tracee/remote_memory.h"

namespace tmrec::tracee {

struct PatchedModule {
  RemoteAddr text, block;
  std::shared_ptr<const patch::Plan> plan;
  std::string name;
  // Where an image of the module has been mapped in place of its text: what the program knows to be mapped there, and
  // the image's file.
  std::vector<MapsLine> covered = {};
  std::uint64_t image_inode = 0;
  bool undone = false;  // the text is the program's own again, and only the trampolines are left

  RemoteAddr text_end() const { return text + plan->text_size; }
  RemoteAddr block_end() const { return block + plan->block.size(); }
  bool in_text(std::uint64_t addr) const { return addr >= text.value && addr < text_end().value; }
  bool in_block(std::uint64_t addr) const { return addr >= block.value && addr < block_end().value; }
  MapsLine covered_at(RemoteAddr addr) const;  // without a name: nothing is
  // In bytes that were read at `start`, text becomes what the program knows; the text is patched.
  void show_original(RemoteAddr start, Bytes& bytes) const;
};

// Where the text of a module lies, that has been mapped from this offset of its file at `start`.
RemoteAddr text_of(const patch::Plan& plan, RemoteAddr start, std::uint64_t file_offset);
// Where its block belongs.
RemoteAddr block_of(const patch::Plan& plan, RemoteAddr text);

// Undoes all edits in a process that goes on unrecorded, as far as its memory tells (agent::kBlocks, patch::Undo); all
// its tasks are stopped. New threads would otherwise share the area of their creator.
void undo_all_patches(pid_t pid, const RemoteMemory& memory);

class PatchedSpace {
 public:
  const std::vector<PatchedModule>& modules() const { return modules_; }
  const PatchedModule* with_block(std::uint64_t addr) const;
  const PatchedModule* with_text(std::uint64_t addr) const;
  // Whether the program's own code is there, neither a trampoline nor a jump to one.
  bool is_original(std::uint64_t addr) const;

  // The block is mapped. Writes the trampolines, unless they were mapped with it, and edits the text. False: the memory
  // is not there, or not what the plan is for; nothing refers to the block then.
  // `untouched`: the text's bytes, where memory is known to show them, and need not be read; else empty.
  enum class Block { Empty, Filled };
  bool apply(const RemoteMemory& memory, PatchedModule module, Block block = Block::Empty, patch::Bytes untouched = {});
  // The text is the program's own again already; the trampolines are mapped, and written unless they were mapped with
  // it. False: there is no memory for them.
  bool apply_undone(const RemoteMemory& memory, PatchedModule module, Block block);
  // An image of the module is about to be mapped in place of `covered`, and the trampolines are mapped.
  void begin_image(const RemoteMemory& memory, PatchedModule module);
  // The program gave back its own copies of pages in [start, end) (MADV_DONTNEED): makes them again what they were.
  void renew(const RemoteMemory& memory, std::uint64_t start, std::uint64_t end) const;
  // Makes the text what it was. The trampolines keep working for tasks that are there.
  bool undo(const RemoteMemory& memory, RemoteAddr text);
  void forget(RemoteAddr text);

  // Where the program is, as it would say, when a task is stopped at these registers. Registers outside of trampolines
  // stay as they are, but for what the kernel leaves in rcx behind a relocated system call: the address the program
  // thinks it returned to. `area`: the task's.
  Regs program_view(const RemoteMemory& memory, RemoteAddr area, const Regs& regs) const;

  // A task came to the inside of a window, where a byte that traps stands for the instruction that was there, and was
  // stopped by that: where it must go on. nullopt: the trap is the program's own.
  std::optional<RemoteAddr> way_out(const siginfo_t& info, const Regs& regs) const;

  // A counter must not be changed while a task holds a copy of it in a register. Where the task must be set back to.
  std::optional<RemoteAddr> before_counting(const Regs& regs) const;

 private:
  std::vector<PatchedModule> modules_;
  void list_blocks(const RemoteMemory& memory) const;
  static bool make_original(const RemoteMemory& memory, const PatchedModule& module);
};

}  // namespace tmrec::tracee
