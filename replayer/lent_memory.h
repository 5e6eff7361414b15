// Memory that a debugger asks for, to put code and values of its own there.
//
// Problem: lldb works out an expression by code that it writes into the process, and keeps results there from one
// command to the next; a recording can't be given memory, and a diversion is thrown away. Solution: that memory is kept
// here, at addresses that no program uses, and is mapped in each diversion for as long as that lives. Rejected: to do
// without; lldb then calls mmap in the process, believes what it was told, and finds nothing there afterwards.
#pragma once

#include <map>

#include "format/event.h"
#include "format/result.h"
#include "replayer/task.h"

namespace tmrec::replayer {

class LentMemory {
 public:
  // Usage: more than there is to lend.
  Result<RemoteAddr> lend(std::uint64_t size);
  // False: nothing begins there.
  bool take_back(RemoteAddr at) { return pieces_.erase(at.value) != 0; }
  void take_back_all() { pieces_.clear(); }

  bool has(RemoteAddr at) const { return piece(at.value) != nullptr; }
  // As much as there is of it; empty: has() says no.
  Bytes read(RemoteAddr from, std::size_t size) const;
  // False: not all of it is lent.
  bool write(RemoteAddr to, const Bytes& bytes);

  // Into the process of a task that nobody else has, and what has become of it there.
  Result<void> map_into(Task& task) const;
  void update_from(const Task& task);

 private:
  using Piece = std::pair<const std::uint64_t, Bytes>;
  const Piece* piece(std::uint64_t at) const;

  std::map<std::uint64_t, Bytes> pieces_;  // by address, whole pages
  std::uint64_t lent_ = 0;
};

}  // namespace tmrec::replayer
