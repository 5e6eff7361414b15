// The memory that an event holds: all that printing sees of the program's.
#pragma once

#include <cstring>
#include <span>

#include "format/event.h"

namespace tmrec::syscalls {

class EventMemory {
 public:
  enum class Side { Input, Output };

  explicit EventMemory(std::span<const Extent> extents) : extents_(extents) {}

  // The captured bytes from `addr` on, at most `len`; empty when none. Not copied: valid while the event lives.
  std::span<const std::uint8_t> at(Side side, std::uint64_t addr, std::uint64_t len) const {
    std::span<const std::uint8_t> best;
    for (const Extent& e : extents_) {
      if (e.input != (side == Side::Input) || addr < e.addr.value || addr - e.addr.value >= e.bytes.size()) continue;
      const std::span<const std::uint8_t> rest = std::span(e.bytes).subspan(addr - e.addr.value);
      if (rest.size() > best.size()) best = rest;
    }
    return best.first(std::min<std::uint64_t>(best.size(), len));
  }

  // A value, all of whose bytes were captured.
  template <class T>
  bool read(Side side, std::uint64_t addr, T& value) const {
    const auto bytes = at(side, addr, sizeof value);
    if (bytes.size() < sizeof value) return false;
    std::memcpy(&value, bytes.data(), sizeof value);
    return true;
  }

 private:
  std::span<const Extent> extents_;
};

}  // namespace tmrec::syscalls
