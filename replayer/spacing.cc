#include "replayer/spacing.h"

#include <algorithm>
#include <cmath>

namespace tmrec::replayer {

// The one whose neighbours are closest together for how far away they are. Costs are measured on different ways, so
// that a later one may seem to cost less.
std::size_t least_useful(std::span<const std::uint64_t> costs, std::size_t here) {
  constexpr double kNear = 1e6;
  const auto trunk = static_cast<std::size_t>(
      std::ranges::find_if(costs.subspan(1), [](std::uint64_t cost) { return cost >= kTrunkNs; }) - costs.begin());
  std::size_t least = costs.size() - 2;
  double least_gap = 1e300;
  for (std::size_t i = 1; i + 1 < costs.size(); ++i) {
    if (i == trunk || (i + kKeptBefore > here && i <= here + 1)) continue;
    const double gap = std::max(0.0, static_cast<double>(costs[i + 1]) - static_cast<double>(costs[i - 1]));
    const double distance = std::abs(static_cast<double>(costs[here]) - static_cast<double>(costs[i]));
    const double weighed = gap / (distance + kNear);
    if (weighed < least_gap) {
      least_gap = weighed;
      least = i;
    }
  }
  return least;
}

}  // namespace tmrec::replayer
