// The strongly connected components of a graph, numbered (Tarjan, 1972): two nodes are in one if each leads to the
// other.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace tmrec::patch {

inline constexpr std::uint32_t kNowhere = 0xffffffff;

// Graph has size(), degree(node) and to(node, edge < degree), which may be kNowhere.
template <class Graph>
class Components {
 public:
  explicit Components(const Graph& graph)
      : graph_(graph), of_(graph.size(), kNowhere), order_(graph.size(), kNowhere), low_(graph.size()) {
    for (std::uint32_t node = 0; node < of_.size(); ++node) {
      if (order_[node] == kNowhere) search(node);
    }
    order_ = low_ = open_ = {};
  }
  std::uint32_t of(std::uint32_t node) const { return of_[node]; }
  // More than one node is in this one's.
  bool shared(std::uint32_t node) const { return sizes_[of_[node]] > 1; }
  std::size_t count() const { return sizes_.size(); }

 private:
  struct Visit {
    std::uint32_t node, edge;
  };

  void enter(std::uint32_t node) {
    order_[node] = low_[node] = entered_++;
    open_.push_back(node);
    path_.push_back({node, 0});
  }

  void search(std::uint32_t root) {
    for (enter(root); !path_.empty();) {
      Visit& at = path_.back();
      if (at.edge == graph_.degree(at.node)) {
        leave(at.node);
        continue;
      }
      const std::uint32_t to = graph_.to(at.node, at.edge++);
      if (to == kNowhere) continue;
      if (order_[to] == kNowhere) {
        enter(to);
      } else if (of_[to] == kNowhere) {
        low_[at.node] = std::min(low_[at.node], order_[to]);
      }
    }
  }

  void leave(std::uint32_t node) {
    path_.pop_back();
    if (!path_.empty()) low_[path_.back().node] = std::min(low_[path_.back().node], low_[node]);
    if (low_[node] != order_[node]) return;
    const auto number = static_cast<std::uint32_t>(sizes_.size());
    sizes_.push_back(0);
    for (std::uint32_t member = kNowhere; member != node; open_.pop_back()) {
      of_[member = open_.back()] = number;
      ++sizes_.back();
    }
  }

  const Graph& graph_;
  std::vector<std::uint32_t> of_, order_, low_, open_, sizes_;
  std::vector<Visit> path_;
  std::uint32_t entered_ = 0;
};

}  // namespace tmrec::patch
