// Collects the ranges of memory that the capture of a call names, to read them all at one moment.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "format/event.h"
#include "tracee/remote_memory.h"

namespace tmrec::recorder {

struct ExtentList {
  std::vector<Extent> ranges;
  std::vector<std::uint64_t> sizes;  // of `ranges`, in bytes

  void input(std::uint64_t addr, std::uint64_t size) { add(addr, size, true); }
  void output(std::uint64_t addr, std::uint64_t size) { add(addr, size, false); }
  void add(std::uint64_t addr, std::uint64_t size, bool is_input) {
    if (size == 0) return;
    ranges.push_back(Extent{RemoteAddr(addr), {}, is_input});
    sizes.push_back(size);
  }
  // Reads what can be read of them (a call may fault half-way).
  void read_into(std::vector<Extent>& to, const tracee::RemoteMemory& memory) {
    for (std::size_t i = 0; i < ranges.size(); ++i) {
      ranges[i].bytes = memory.read_some(ranges[i].addr, sizes[i]);
      if (!ranges[i].bytes.empty()) to.push_back(std::move(ranges[i]));
    }
  }
};

}  // namespace tmrec::recorder
