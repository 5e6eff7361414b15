// Calls that the agent has performed and recorded, in memory shared with the recorded processes
// (tracee/agent/layout.h).
//
// What stands there is written by the program's own process, so nothing of it is believed before it is checked.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "format/calls.h"
#include "format/result.h"
#include "tracee/agent/layout.h"

namespace tmrec::recorder {

class CallRing {
 public:
  // Maps the memory that the task `pid` has as its descriptor `fd`, agent::kRingSize bytes.
  static Result<std::shared_ptr<CallRing>> map(pid_t pid, int fd);
  ~CallRing();
  CallRing(const CallRing&) = delete;
  CallRing& operator=(const CallRing&) = delete;

  bool empty() const { return header().used == taken_; }
  // What the agent knows of descriptors is out of date.
  void forget_descriptors() { ++header().generation; }
  std::uint32_t generation() const { return header().generation; }

  // Calls that have not been taken yet, in order.
  struct Calls {
    CallWords before;  // what the first is a change of
    std::uint32_t count = 0;
    Bytes records;  // whole ones; what their extents say is not verified
  };
  // `at_rest`: no agent is about to add another, so their room is used again. Error: it holds what no agent writes.
  Result<Calls> take(bool at_rest);

  // Another task goes on recording; the one before may have been killed in the middle of it.
  void begin_with_last_taken() { header().last = last_; }

  bool knows_fs_base() const { return (header().flags & agent::kReadsFsBase) != 0; }

 private:
  explicit CallRing(void* memory) : memory_(static_cast<std::uint8_t*>(memory)) {}
  agent::RingHeader& header() const { return *reinterpret_cast<agent::RingHeader*>(memory_); }
  std::uint8_t* memory_;
  std::uint64_t taken_ = 0;  // bytes of records
  CallWords last_;           // of the last one taken
};

}  // namespace tmrec::recorder
