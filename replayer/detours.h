// The detours (detour.h) of one address space: memory that the replayer maps where the program has none, for
// as long as it has none.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "replayer/detour.h"
#include "tracee/task_handle.h"

namespace tmrec::replayer {

class Detours {
 public:
  // The one around the instruction at `place`, made if need be; it is not led to yet. Null: there can't be one.
  // `condition`: gdbstub/agent_code.h.
  std::shared_ptr<const Detour> around(tracee::Stopped& task, const tracee::RemoteMemory& memory, std::uint64_t place,
                                       const std::vector<std::uint8_t>& condition);
  // The program is about to do something to this memory. No detour is led to.
  void give_way(tracee::Stopped& task, std::uint64_t start, std::uint64_t end);

 private:
  struct Known {
    std::vector<std::uint8_t> condition, bytes;
    std::shared_ptr<const Detour> detour;
  };
  static std::shared_ptr<const Detour> make(tracee::Stopped& task, const tracee::RemoteMemory& memory,
                                            std::uint64_t place, const Known& wanted);
  static void unmap(tracee::Stopped& task, const Detour& detour);

  std::map<std::uint64_t, Known> known_;  // by place
};

}  // namespace tmrec::replayer
