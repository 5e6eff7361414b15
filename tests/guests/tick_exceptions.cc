// C++ exceptions thrown through deep frames that hold loops, landing pads in the middle of loops, rethrowing, and
// destructors on the way, interrupted by alarms.
#include <stdexcept>
#include <string>

#include "tick.h"

namespace {

__thread long alive;

struct Guard {
  explicit Guard(uint64_t& s) : sum(s) { alive++; }
  ~Guard() {
    alive--;
    for (int i = 0; i < 5; i++) sum = sum * 31 + static_cast<uint64_t>(i);
  }
  uint64_t& sum;
};

__attribute__((noinline)) uint64_t descend(int depth, uint64_t& sum) {
  Guard guard(sum);
  uint64_t own = 0;
  for (int i = 0; i < 20; i++) own += sum >> i;
  if (depth == 0) {
    if (own % 3 == 0) throw std::runtime_error("deep");
    if (own % 3 == 1) throw static_cast<int>(own % 1000);
    throw std::string("a string that is too long to be kept in place");
  }
  return descend(depth - 1, sum) + own;
}

__attribute__((noinline)) void rethrow(int depth, uint64_t& sum) {
  try {
    descend(depth, sum);
  } catch (const std::exception& e) {
    sum += static_cast<uint64_t>(e.what()[0]);
    throw;
  }
}

uint64_t work() {
  uint64_t sum = 1;
  // The landing pads lie within the loop and lead back to its head.
  for (int i = 0; i < 60; i++) {
    try {
      if (i % 2 == 0) {
        descend(i % 25, sum);
      } else {
        rethrow(i % 17, sum);
      }
    } catch (int value) {
      sum ^= static_cast<uint64_t>(value) << 7;
      continue;
    } catch (const std::string& text) {
      sum += text.size();
    } catch (const std::runtime_error&) {
      sum = sum << 1 | sum >> 63;
      if (sum % 4 == 0) continue;
    }
    sum += 3;
  }
  CHECK(alive == 0);
  return sum;
}

}  // namespace

int main() {
  tick_run(work);
  return success();
}
