// What the tasks of an attached recording had before tmrec changed it, in memory that the front process shares with the
// supervisor: should the supervisor be killed, the front gives it back (recorder/give_back.h). An entry is complete
// before its task is touched, and only then counted, so that a kill leaves no half of one.
#pragma once

#include <sched.h>
#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

namespace tmrec::recorder {

// What a task gets back.
struct OwnSettings {
  pid_t tid = 0, process = 0;
  std::int32_t tsc_mode = 1;   // PR_TSC_ENABLE
  std::int32_t dumpable = -1;  // PR_SET_DUMPABLE; -1: as it is
  std::uint64_t gs_base = 0;
  std::uint64_t rseq = 0;  // address of the registered area; 0: none
  std::uint32_t rseq_size = 0, rseq_signature = 0;
  cpu_set_t affinity{};
};

class Ledger {
 public:
  // To be made before the supervisor is forked. nullptr: no memory.
  static std::shared_ptr<Ledger> make();

  // False: it is full.
  bool add(const OwnSettings& settings);
  // Of a task; of its process, where it is not known; nullptr: of neither.
  const OwnSettings* find(pid_t tid, pid_t process) const;
  OwnSettings* entry(pid_t tid);
  std::uint32_t size() const { return count_.load(std::memory_order_acquire); }
  const OwnSettings& operator[](std::uint32_t i) const { return entries_[i]; }

  // Children of a process that it must wait for once they are dead, because tmrec made them (space_copy.h).
  // kUnknown, while one is being made.
  static constexpr pid_t kUnknown = -1;
  void add_child(pid_t process, pid_t child);
  void remove_child(pid_t process, pid_t child);
  std::vector<pid_t> children(pid_t process) const;

  // CPUID faults in tasks of the recording.
  std::atomic<bool> cpuid_trapped{false};

 private:
  static constexpr std::uint32_t kMost = 32768;
  std::atomic<std::uint32_t> count_{0};
  struct Child {
    std::atomic<pid_t> process, pid;  // 0: none
  };
  Child children_[256];
  OwnSettings entries_[kMost];
};

}  // namespace tmrec::recorder
