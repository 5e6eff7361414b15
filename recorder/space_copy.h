// Memory as it was at one moment, while the program already runs again.
//
// The problem: a snapshot holds all memory of the program, and to copy 500 MB takes a tenth of a second and more, for
// which a service would stand still. The solution: the program is made to fork, which copies page tables only, in some
// ten milliseconds. The child stands still where it was born (tracee/remote_call.h, recorded_fork), its memory is read
// while its parent goes on, and it is killed. What fork does not copy as it is (shared memory, MADV_DONTFORK and
// MADV_WIPEONFORK) is read while the program stands still. Where a fork is refused (RLIMIT_NPROC, pids.max, no memory),
// everything is.
//
// The child is the program's: the parent has to wait for it once it is dead, which only calls with __WALL or __WCLONE
// can see. That is done at the next opportunity in which a call of the supervisor's can be made, and is written down in
// the ledger for those who give a program back (recorder/give_back.h).
//
// Rejected: write protection by userfaultfd, which needs Linux 6.7 and splits mappings where the program can see it;
// the soft-dirty bits of pagemap, which not every kernel has and the program may use itself.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "format/event.h"
#include "format/snapshot.h"
#include "tracee/patched_space.h"
#include "tracee/remote_memory.h"
#include "tracee/task_handle.h"

namespace tmrec::recorder {

// Whether its memory is such that reading it while it stands still takes longer than to copy it.
bool is_worth_a_copy(pid_t pid);

// Whole pages, as many as can be read, with text as the program knows it.
Bytes read_pages(const tracee::RemoteMemory& memory, const std::vector<tracee::PatchedModule>& patched,
                 RemoteAddr start, RemoteAddr end);

class SpaceCopy {
 public:
  struct Made {
    std::shared_ptr<SpaceCopy> copy;  // null: there is none
    std::string why;                  // then
    pid_t child = 0;                  // not 0: as the program knows it, which is to wait for it
  };
  // `vdso`, `size`, `gadget`: as recorded_fork wants them. `advice`: what fork clears, as far as known: looking takes
  // as long as the fork itself, so it may be what was true shortly before, and fill() compares. What it leaves out is
  // seen by what the child has. Throws TaskDied.
  static Made make(tracee::Stopped& task, const tracee::RemoteMemory& memory, RemoteAddr vdso, std::uint64_t size,
                   RemoteAddr gadget, const std::vector<AttachEvent::ForkAdvice>& advice,
                   const std::vector<tracee::PatchedModule>& patched, std::vector<siginfo_t>* arrived);
  ~SpaceCopy();
  SpaceCopy(const SpaceCopy&) = delete;
  SpaceCopy& operator=(const SpaceCopy&) = delete;

  // What fork left out and cleared, as it was done.
  const std::vector<AttachEvent::ForkAdvice>& not_copied() const { return not_copied_; }
  // Whether these pages of the program, which are private to it, are in the copy.
  bool has(RemoteAddr start, RemoteAddr end) const;
  // They are to be filled in.
  void leave(Snapshot& snapshot, RemoteAddr start, RemoteAddr end);
  // By any thread. The copy is gone afterwards. What went wrong, or an empty string.
  std::string fill(Snapshot& snapshot);
  // The child is dead, and can be waited for.
  bool is_over() const { return over_; }

 private:
  SpaceCopy(pid_t pid, tracee::RemoteMemory memory, std::vector<AttachEvent::ForkAdvice> not_copied,
            const std::vector<tracee::PatchedModule>& patched)
      : pid_(pid), memory_(std::move(memory)), not_copied_(std::move(not_copied)), patched_(patched) {}
  void end();

  pid_t pid_;
  tracee::RemoteMemory memory_;
  std::vector<AttachEvent::ForkAdvice> not_copied_;
  std::vector<tracee::PatchedModule> patched_;
  struct Left {
    std::size_t extent;  // of the snapshot's pages
    RemoteAddr end;
  };
  std::vector<Left> left_;
  std::atomic<bool> over_{false};
};

}  // namespace tmrec::recorder
