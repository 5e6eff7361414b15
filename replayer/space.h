// One address space at replay: a stub's memory and what is mapped there.
#pragma once

#include <map>
#include <optional>
#include <unordered_map>

#include "format/snapshot.h"
#include "replayer/detours.h"
#include "replayer/objects.h"
#include "replayer/stub.h"
#include "tracee/patched_space.h"
#include "tracee/vdso.h"

namespace tmrec::replayer {

// Inode to the descriptor of what stands for it, ours.
using SharedCopies = std::map<std::uint64_t, Fd>;

class Space {
 public:
  // Fills an empty stub.
  static Result<Space> build(tracee::Stopped& stub, const Snapshot& snapshot, Objects& objects);
  // The copy that a fork has made in `stub`.
  Result<Space> forked(tracee::Stopped& stub) const;
  // Before and after a fork that the recorded program did not make: what it kept out of its own forks is copied too.
  void copy_everything(tracee::Stopped& task, bool on) const;
  // Memory that a forked copy still shares with its original becomes its own. `copies`: descriptors of the copied
  // objects, by those of the originals' inodes; memory that is none of those gets one there.
  Result<void> unshare(tracee::Stopped& task, SharedCopies& copies);

  const tracee::RemoteMemory& memory() const { return memory_; }
  std::uint64_t heap_end() const { return brk_; }
  bool is_vdso(std::uint64_t addr) const { return addr >= vdso_ && addr < vdso_ + tracee::kMostOfVdso; }
  // What the recording wrote to memory. False: some of it is not mapped, or the replayer's own.
  bool write(RemoteAddr addr, const Bytes& bytes) const;
  // Any task of the space may perform these. `ret` is the recorded result; the error says how the replay's differs.
  // Registers of the task change.
  Result<void> perform(tracee::Stopped& task, std::uint32_t number, const std::uint64_t (&args)[6], std::int64_t ret,
                       const std::optional<MapSource>& source, Objects& objects);

  // The agent, where the recorded program had it.
  Result<void> install_agent(tracee::Stopped& task);
  // The part of the agent that repeats calls, and the memory behind `fd` with what it repeats. Done once.
  Result<void> install_calls(tracee::Stopped& task, int fd);
  // In a copy for another session, which has memory of its own for that.
  void forget_calls() { repeats_calls_ = false; }
  // Memory for the trampolines of this text, showing them where `fd`, the plan's file, can be mapped. Error: text or
  // block is not where it could have been at the recording.
  Result<tracee::PatchedSpace::Block> map_block(tracee::Stopped& task, RemoteAddr block, const patch::Plan& plan,
                                                RemoteAddr text, int fd);

  // Shows `fd` in all private mappings of `backing`, keeping pages the program has written to.
  Result<void> show_memfd(tracee::Stopped& task, BackingId backing, int fd);
  bool shows(BackingId backing) const;

  int tasks = 0;
  tracee::PatchedSpace patches;
  Detours detours;

 private:
  explicit Space(tracee::RemoteMemory memory) : memory_(std::move(memory)) {}

  // Mappings of objects that are private and still come from a blob, by start address.
  struct ObjectMapping {
    std::uint64_t end = 0;
    BackingId backing;
    std::uint64_t offset = 0;
  };

  Result<void> map(tracee::Stopped& task, std::uint64_t start, std::uint64_t size, int prot, int flags,
                   const MapSource& source, Objects& objects);
  Result<void> perform_mmap(tracee::Stopped& task, const std::uint64_t (&args)[6], std::int64_t ret,
                            const std::optional<MapSource>& source, Objects& objects);
  Result<void> perform_mremap(tracee::Stopped& task, const std::uint64_t (&args)[6], std::int64_t ret);
  Result<void> perform_brk(tracee::Stopped& task, std::int64_t ret);
  Result<void> perform_shmat(tracee::Stopped& task, const std::uint64_t (&args)[6], std::int64_t ret,
                             const std::optional<MapSource>& source, Objects& objects);
  void forget(std::uint64_t start, std::uint64_t end);
  // Before the program's memory changes there. Error: it is the replayer's own.
  Result<void> make_way(tracee::Stopped& task, std::uint64_t start, std::uint64_t size);
  Result<int> fd_in_stub(tracee::Stopped& task, int fd, bool writable);

  // A range that the program's forks do not copy, or find empty.
  struct ForkAdvice {
    std::uint64_t start, size, advice;
  };
  void note_advice(std::uint64_t start, std::uint64_t size, std::uint64_t advice);

  tracee::RemoteMemory memory_;
  std::uint64_t brk_ = 0;
  std::uint64_t vdso_ = ~std::uint64_t{0} - tracee::kMostOfVdso;  // where it was at first; nowhere
  bool shares_memory_ = false;                                    // it has, or had, shared mappings
  bool repeats_calls_ = false;                                    // the agent can
  std::vector<ForkAdvice> fork_advice_;
  std::map<std::uint64_t, ObjectMapping> objects_shown_;
  std::unordered_map<std::uint64_t, std::uint64_t> segments_;  // shmat: address to size
};

}  // namespace tmrec::replayer
