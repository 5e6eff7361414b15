// Damages valid inputs in the ways that files get damaged and forged; the same number gives the same damage.
#pragma once

#include <cstdint>
#include <vector>

#include "format/event.h"

namespace tmrec::fuzz {

// SplitMix64: every 64-bit state is a good one.
class Random {
 public:
  explicit Random(std::uint64_t state) : state_(state) {}
  std::uint64_t next();
  // 0 .. limit - 1; 0 for limit 0.
  std::size_t below(std::size_t limit);

 private:
  std::uint64_t state_;
};

// One of `seeds` with one to four damages.
Bytes mutated(const std::vector<Bytes>& seeds, Random& random);

}  // namespace tmrec::fuzz
