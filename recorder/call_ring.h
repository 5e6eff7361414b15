// Calls that the agent has performed and recorded, in memory shared with the recorded processes
// (tracee/agent/layout.h).
//
// What stands there is written by the program's own process, so nothing of it is believed before it is checked.
#pragma once

#include <sys/types.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "format/calls.h"
#include "format/file_io.h"
#include "format/result.h"
#include "tracee/agent/layout.h"

namespace tmrec::recorder {

class CallRing {
 public:
  // Maps the memory that the task `pid` has as its descriptor `fd`, agent::kRingSize bytes; so many are for records.
  static Result<std::shared_ptr<CallRing>> map(pid_t pid, int fd, std::uint64_t room = agent::kRecordsRoom);
  // New memory, which this process has as file().
  static Result<std::shared_ptr<CallRing>> create(std::uint64_t room);
  ~CallRing();
  CallRing(const CallRing&) = delete;
  CallRing& operator=(const CallRing&) = delete;

  int file() const { return file_.get(); }
  // Threads of one program alone may take all slots.
  bool has_room_for_program() const { return slots_.size() < agent::kMaxSlots / 2; }

  // What the agent knows of descriptors is out of date.
  void forget_descriptors() { ++header().generation; }
  std::uint32_t generation() const { return header().generation; }

  // Calls of one task that have not been taken yet, in order; or that another has got the baton.
  struct Calls {
    agent::RecordKind kind = agent::RecordKind::Complete;  // otherwise it is one record
    pid_t tid = 0;                                         // Switch: who has it
    CallWords before;                                      // what the first is a change of
    std::uint32_t count = 0;
    std::uint64_t ticks_left = 0;           // behind the last
    std::span<const std::uint8_t> records;  // as in a trace; what their extents say is not verified
  };
  // Shows bytes that stay until a task runs, or the next time. `at_rest`: no agent is about to add another, so their room
  // is used again. `for_good`: nor will the task that has the baton. Error: it holds what no agent writes.
  Result<std::vector<Calls>> take(bool at_rest, bool for_good = false);

  // Slots of tasks that hand the baton on by themselves. nullopt: all are taken.
  std::optional<std::uint32_t> take_slot(pid_t tid);
  void give_slot_back(std::uint32_t slot);
  pid_t in_slot(std::uint32_t slot) const;  // 0: nobody
  bool has_tasks() const {
    return std::ranges::any_of(slots_, [](pid_t tid) { return tid != 0; });
  }
  agent::SlotState state(std::uint32_t slot) const { return header().slots[slot].state; }
  void set_running(std::uint32_t slot);
  // Whom it was chosen for, those that sleep for it, the longest first.
  std::vector<pid_t> sleepers() const;

  // Who may run (agent::kSupervisors and its like).
  std::uint32_t baton() const;
  // From the task in that slot, or nobody: it is the supervisor's. False: it was somebody else's.
  bool take_baton(std::uint32_t from);
  // From the supervisor, to that slot (all records have been taken), or to nobody.
  void leave_baton(std::uint32_t to, std::uint32_t last_holder);
  void wake(std::uint32_t slot);
  void set_wanted(bool wanted) { header().wanted = wanted ? 1 : 0; }

  bool knows_fs_base() const { return (header().flags & agent::kReadsFsBase) != 0; }

 private:
  CallRing(void* memory, Fd file, std::uint64_t room);
  static Result<std::shared_ptr<CallRing>> map(Fd file, const std::string& name, std::uint64_t room);
  bool may_be_reopened(agent::RecordKind kind) const;
  agent::RingHeader& header() const { return *reinterpret_cast<agent::RingHeader*>(memory_); }
  std::uint8_t* memory_;
  Fd file_;
  std::uint64_t taken_ = 0;    // bytes of records
  CallWords last_;             // of the last one taken
  pid_t holder_ = 0;           // whose calls come next
  std::vector<Bytes> others_;  // records taken last that are none of complete calls, as in a trace
  std::vector<pid_t> slots_;
};

}  // namespace tmrec::recorder
