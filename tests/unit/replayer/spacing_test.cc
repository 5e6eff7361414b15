#include "replayer/spacing.h"

#include <algorithm>
#include <vector>

#include <doctest/doctest.h>

using namespace tmrec::replayer;

namespace {

constexpr std::uint64_t kMillisecond = 1'000'000;
constexpr std::size_t kMost = 48;

// Checkpoints as somebody makes them who never has more than kMost.
struct Pool {
  std::vector<std::uint64_t> costs;
  void add(std::uint64_t cost) {
    const auto at = costs.insert(std::ranges::lower_bound(costs, cost), cost);
    const auto here = static_cast<std::size_t>(at - costs.begin());
    if (costs.size() > kMost) costs.erase(costs.begin() + static_cast<std::ptrdiff_t>(least_useful(costs, here)));
  }
  // From the last one before.
  std::uint64_t way_to(std::uint64_t cost) const { return cost - *std::prev(std::ranges::upper_bound(costs, cost)); }
};

Pool after_running_for(std::uint64_t seconds) {
  Pool pool;
  for (std::uint64_t at = 0; at <= seconds * 1000; at += 100) pool.add(at * kMillisecond);
  return pool;
}

}  // namespace

TEST_CASE("behind a long run, a checkpoint is near in proportion to how far back it is") {
  const std::uint64_t end = 3600 * 1000 * kMillisecond;
  const Pool pool = after_running_for(3600);
  CHECK(pool.costs.size() == kMost);
  CHECK(pool.costs.front() == 0);
  CHECK(pool.costs.back() == end);
  CHECK(pool.way_to(end - 200 * kMillisecond) <= 300 * kMillisecond);
  for (std::uint64_t back = 1000; back < 3600 * 1000; back *= 2) {
    CHECK(pool.way_to(end - back * kMillisecond) <= back * kMillisecond);
  }
}

TEST_CASE("where somebody is at work they come to lie, wherever that is, and the last few stay") {
  Pool pool = after_running_for(600);
  const std::uint64_t here = 200 * 1000 * kMillisecond;
  std::vector<std::uint64_t> made;
  for (std::uint64_t i = 0; i < 200; ++i) {
    made.push_back(here + i * 1000);
    pool.add(made.back());
  }
  for (std::size_t i = made.size() - kKeptBefore; i < made.size(); ++i) {
    CHECK(std::ranges::binary_search(pool.costs, made[i]));
  }
  CHECK(pool.costs.front() == 0);
  CHECK(pool.costs.back() == 600 * 1000 * kMillisecond);
  CHECK(pool.way_to(here - 20 * 1000 * kMillisecond) < 200 * 1000 * kMillisecond);
}

TEST_CASE("the first one behind the program's start stays, wherever somebody is at work") {
  Pool pool = after_running_for(60);
  pool.add(10 * kMillisecond);
  const std::uint64_t trunk = 100 * kMillisecond;
  for (const std::uint64_t here : {59'000u, 30'000u, 1'000u, 300u}) {
    for (std::uint64_t i = 0; i < 100; ++i) pool.add(here * kMillisecond + i * 10'000);
    CHECK(std::ranges::binary_search(pool.costs, trunk));
  }
}

TEST_CASE("costs that contradict the order are no reason to keep or to give up what is in use") {
  std::vector<std::uint64_t> costs(20);
  for (std::size_t i = 0; i < costs.size(); ++i) costs[i] = 1000 * kMillisecond * i;
  costs[12] = 0;
  for (std::size_t here = 0; here < costs.size(); ++here) {
    const std::size_t gone = least_useful(costs, here);
    CHECK(gone > 0);
    CHECK(gone < costs.size() - 1);
    CHECK(gone != here);
  }
}
