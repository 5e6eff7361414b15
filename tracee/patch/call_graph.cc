#include "tracee/patch/call_graph.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <span>
#include <utility>

#include "tracee/patch/components.h"

namespace tmrec::patch {

namespace {

// Edges by the function at one of their ends.
class Ends {
 public:
  Ends(const std::vector<CallEdge>& edges, std::size_t units, std::uint32_t CallEdge::*end)
      : first_(units + 1), edges_(edges.size()) {
    for (const CallEdge& edge : edges) ++first_[edge.*end + 1];
    std::partial_sum(first_.begin(), first_.end(), first_.begin());
    std::vector<std::uint32_t> next(first_.begin(), first_.end() - 1);
    for (std::uint32_t i = 0; i < edges.size(); ++i) edges_[next[edges[i].*end]++] = i;
  }
  std::span<const std::uint32_t> of(std::uint32_t unit) const {
    return std::span(edges_).subspan(first_[unit], first_[unit + 1] - first_[unit]);
  }

 private:
  std::vector<std::uint32_t> first_, edges_;
};

struct Calls {
  const std::vector<CallEdge>& edges;
  Ends made;
  std::size_t units;

  std::size_t size() const { return units; }
  std::uint32_t degree(std::uint32_t unit) const { return static_cast<std::uint32_t>(made.of(unit).size()); }
  std::uint32_t to(std::uint32_t unit, std::uint32_t edge) const { return edges[made.of(unit)[edge]].to; }
};

class Order {
 public:
  explicit Order(const Calls& calls)
      : calls_(calls),
        received_(calls.edges, calls.units, &CallEdge::to),
        components_(calls),
        in_(calls.units),
        out_(calls.units),
        place_(calls.units, kNowhere) {
    std::vector<std::vector<std::uint32_t>> members(components_.count());
    for (std::uint32_t unit = 0; unit < calls.units; ++unit) {
      if (components_.shared(unit)) members[components_.of(unit)].push_back(unit);
    }
    for (const auto& component : members) arrange(component);
  }

  bool leads_back(const CallEdge& edge) const {
    return edge.from == edge.to || (within(edge) && place_[edge.to] < place_[edge.from]);
  }

 private:
  bool within(const CallEdge& edge) const { return components_.of(edge.from) == components_.of(edge.to); }
  bool counts(const CallEdge& edge) const { return within(edge) && edge.from != edge.to; }
  // Smallest first: calls more than it is called.
  std::pair<std::int64_t, std::uint32_t> key(std::uint32_t unit) const { return {in_[unit] - out_[unit], unit}; }

  void arrange(const std::vector<std::uint32_t>& members) {
    for (const std::uint32_t unit : members) {
      for (const std::uint32_t e : calls_.made.of(unit)) {
        const CallEdge& edge = calls_.edges[e];
        if (!counts(edge)) continue;
        out_[edge.from] += edge.weight;
        in_[edge.to] += edge.weight;
      }
    }
    for (const std::uint32_t unit : members) rest_.insert(key(unit));
    auto front = static_cast<std::uint32_t>(0), back = static_cast<std::uint32_t>(members.size());
    while (!rest_.empty()) {
      const bool callee = !callees_.empty(), caller = !callee && !callers_.empty();
      const std::uint32_t unit = callee ? callees_.back() : caller ? callers_.back() : rest_.begin()->second;
      if (callee) callees_.pop_back();
      if (caller) callers_.pop_back();
      if (place_[unit] != kNowhere) continue;
      place_[unit] = callee ? --back : front++;
      take_out(unit);
    }
    callees_.clear();
    callers_.clear();
  }

  void take_out(std::uint32_t unit) {
    rest_.erase(key(unit));
    for (const std::uint32_t e : calls_.made.of(unit)) {
      const CallEdge& edge = calls_.edges[e];
      if (!counts(edge) || place_[edge.to] != kNowhere) continue;
      lower(edge.to, in_, edge.weight);
      if (in_[edge.to] == 0) callers_.push_back(edge.to);
    }
    for (const std::uint32_t e : received_.of(unit)) {
      const CallEdge& edge = calls_.edges[e];
      if (!counts(edge) || place_[edge.from] != kNowhere) continue;
      lower(edge.from, out_, edge.weight);
      if (out_[edge.from] == 0) callees_.push_back(edge.from);
    }
  }

  void lower(std::uint32_t unit, std::vector<std::int64_t>& sums, std::uint32_t weight) {
    rest_.erase(key(unit));
    sums[unit] -= weight;
    rest_.insert(key(unit));
  }

  const Calls& calls_;
  Ends received_;
  Components<Calls> components_;
  std::vector<std::int64_t> in_, out_;  // weights of calls within the component, of functions not in order yet
  std::vector<std::uint32_t> place_;    // in the component's order
  std::set<std::pair<std::int64_t, std::uint32_t>> rest_;
  std::vector<std::uint32_t> callees_, callers_;  // call nobody of the rest any more, or are called by nobody
};

}  // namespace

std::vector<std::size_t> closing_calls(const std::vector<CallEdge>& edges, std::size_t units) {
  const Calls calls{edges, Ends(edges, units, &CallEdge::from), units};
  const Order order(calls);
  std::vector<std::size_t> closing;
  for (const CallEdge& edge : edges) {
    if (order.leads_back(edge)) closing.push_back(edge.index);
  }
  return closing;
}

std::vector<bool> reached_from(std::vector<std::uint32_t> waiting, const std::vector<CallEdge>& edges,
                               std::size_t units) {
  std::vector<bool> reached(units);
  for (const std::uint32_t unit : waiting) reached[unit] = true;
  while (!waiting.empty()) {
    const std::uint32_t unit = waiting.back();
    waiting.pop_back();
    for (auto edge = std::ranges::lower_bound(edges, unit, {}, &CallEdge::from);
         edge != edges.end() && edge->from == unit; ++edge) {
      if (reached[edge->to]) continue;
      reached[edge->to] = true;
      waiting.push_back(edge->to);
    }
  }
  return reached;
}

}  // namespace tmrec::patch
