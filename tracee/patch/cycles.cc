#include "tracee/patch/cycles.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

namespace tmrec::patch {

namespace {

constexpr std::uint32_t kNowhere = 0xffffffff;

// Straight pieces of code, which are entered at the start and left at the end.
class Blocks {
 public:
  explicit Blocks(const CodeMap& code) : code_(code), of_(code.insns().size()) {
    const auto& insns = code.insns();
    for (std::size_t i = 0; i < insns.size(); ++i) {
      if (i == 0 || begins(insns[i - 1], insns[i])) last_.push_back(0);
      of_[i] = static_cast<std::uint32_t>(last_.size() - 1);
      last_.back() = static_cast<std::uint32_t>(i);
    }
  }

  std::size_t size() const { return last_.size(); }
  std::size_t last(std::uint32_t block) const { return last_[block]; }

  // Where control goes on behind the block's last instruction; calls return.
  std::uint32_t next(std::uint32_t block) const {
    const Insn& insn = code_.insns()[last_[block]];
    const bool adjacent = last_[block] + 1 < of_.size() && code_.insns()[last_[block] + 1].at == insn.end();
    return adjacent && !ends_flow(insn.kind) ? block + 1 : kNowhere;
  }
  std::uint32_t taken(std::uint32_t block) const {
    const Insn& insn = code_.insns()[last_[block]];
    if (!is_direct_branch(insn.kind) || insn.kind == Kind::Call) return kNowhere;
    const std::int64_t t = code_.target(insn);
    if (t < 0 || !code_.starts().test(static_cast<std::size_t>(t))) return kNowhere;
    return of_[code_.index_of(static_cast<std::uint32_t>(t))];
  }

 private:
  bool begins(const Insn& before, const Insn& insn) const {
    return before.end() != insn.at || (is_direct_branch(before.kind) && before.kind != Kind::Call) ||
           ends_flow(before.kind) || code_.targets().test(insn.at);
  }

  const CodeMap& code_;
  std::vector<std::uint32_t> of_;    // by instruction
  std::vector<std::uint32_t> last_;  // instruction, by block
};

// Numbers the strongly connected components of a graph whose nodes have at most two successors (Tarjan, 1972).
class Components {
 public:
  Components(const std::vector<std::array<std::uint32_t, 2>>& successors)
      : successors_(successors), of_(successors.size(), kNowhere), order_(successors.size(), kNowhere) {
    low_.resize(successors.size());
    for (std::uint32_t node = 0; node < successors.size(); ++node) {
      if (order_[node] == kNowhere) search(node);
    }
  }
  std::uint32_t of(std::uint32_t node) const { return of_[node]; }

 private:
  struct Visit {
    std::uint32_t node;
    unsigned edge;
  };

  void enter(std::uint32_t node) {
    order_[node] = low_[node] = entered_++;
    open_.push_back(node);
    path_.push_back({node, 0});
  }

  void search(std::uint32_t root) {
    for (enter(root); !path_.empty();) {
      Visit& at = path_.back();
      if (at.edge == 2) {
        leave(at.node);
        continue;
      }
      const std::uint32_t to = successors_[at.node][at.edge++];
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
    for (std::uint32_t member = kNowhere; member != node; open_.pop_back()) of_[member = open_.back()] = components_;
    ++components_;
  }

  const std::vector<std::array<std::uint32_t, 2>>& successors_;
  std::vector<std::uint32_t> of_, order_, low_, open_;
  std::vector<Visit> path_;
  std::uint32_t entered_ = 0, components_ = 0;
};

// What leads where, without the branches that are counted.
class Uncounted {
 public:
  explicit Uncounted(const std::vector<std::array<std::uint32_t, 2>>& successors)
      : successors_(successors), cut_(successors.size()), seen_(successors.size(), 0) {}

  void count(std::uint32_t block, bool counted) { cut_[block] = counted; }

  // Whether one block leads to another, all within a component. More blocks looked at than `budget` has left: it does.
  bool leads(std::uint32_t from, std::uint32_t to, const Components& components, std::uint64_t& budget) {
    ++stamp_;
    waiting_.assign(1, from);
    seen_[from] = stamp_;
    while (!waiting_.empty()) {
      const std::uint32_t at = waiting_.back();
      waiting_.pop_back();
      if (at == to || budget == 0) return true;
      --budget;
      for (unsigned edge = 0; edge < 2; ++edge) {
        const std::uint32_t next = successors_[at][edge];
        if (next == kNowhere || (edge == 1 && cut_[at]) || seen_[next] == stamp_) continue;
        if (components.of(next) != components.of(to)) continue;
        seen_[next] = stamp_;
        waiting_.push_back(next);
      }
    }
    return false;
  }

 private:
  const std::vector<std::array<std::uint32_t, 2>>& successors_;
  std::vector<bool> cut_;
  std::vector<std::uint32_t> seen_, waiting_;
  std::uint32_t stamp_ = 0;
};

constexpr std::uint64_t kBudget = 400'000;  // blocks looked at for one component: functions of tens of thousands

}  // namespace

Cycles::Cycles(const CodeMap& code, const Bindings& bindings, const std::vector<std::size_t>& stubborn)
    : code_(code), closing_(code.insns().size()) {
  find_loops();
  find_recursion(bindings, stubborn);
}

void Cycles::find_loops() {
  const auto& insns = code_.insns();
  for (std::size_t i = 0; i < insns.size(); ++i) {
    // Into the middle of an instruction (glibc: behind a lock prefix): nothing is known of what follows.
    if (!is_direct_branch(insns[i].kind) || insns[i].kind == Kind::Call) continue;
    const std::int64_t t = code_.target(insns[i]);
    if (t >= 0 && t <= insns[i].at && !code_.starts().test(static_cast<std::size_t>(t))) closing_.set(i);
  }
  const Blocks blocks(code_);
  std::vector<std::array<std::uint32_t, 2>> successors(blocks.size());
  for (std::uint32_t b = 0; b < blocks.size(); ++b) successors[b] = {blocks.next(b), blocks.taken(b)};
  const Components components(successors);

  struct Backward {
    std::uint32_t component, block;
  };
  std::vector<Backward> backward;
  Uncounted uncounted(successors);
  for (std::uint32_t b = 0; b < blocks.size(); ++b) {
    const std::uint32_t to = successors[b][1];
    if (to == kNowhere || to > b || components.of(to) != components.of(b)) continue;
    backward.push_back({components.of(b), b});
    uncounted.count(b, true);
  }
  std::ranges::sort(backward, {}, [](const Backward& e) { return std::pair(e.component, e.block); });
  std::uint64_t budget = 0;
  for (std::size_t i = 0; i < backward.size(); ++i) {
    const auto [component, block] = backward[i];
    if (i == 0 || backward[i - 1].component != component) budget = kBudget;
    if (uncounted.leads(successors[block][1], block, components, budget)) {
      closing_.set(blocks.last(block));
    } else {
      uncounted.count(block, false);
    }
  }
}

namespace {

// Index of the function that holds this offset; the number of functions: none does.
std::uint32_t function_at(const CodeMap& code, std::uint32_t at) {
  const auto& all = code.functions();
  const auto behind =
      std::upper_bound(all.begin(), all.end(), at, [](std::uint32_t a, const FunctionRange& f) { return a < f.begin; });
  if (behind == all.begin() || at >= std::prev(behind)->end) return static_cast<std::uint32_t>(all.size());
  return static_cast<std::uint32_t>(behind - all.begin() - 1);
}

bool starts_function(const CodeMap& code, std::uint32_t at) {
  return std::ranges::binary_search(code.functions(), at, {}, &FunctionRange::begin);
}

// Where control comes to from here, if only padding is passed: the function behind it, else here. Compilers that know
// of a switch that none of its cases is left let the way out lead behind the function's end.
std::uint32_t behind_padding(const CodeMap& code, std::uint32_t at) {
  if (!code.starts().test(at)) return at;
  const auto& insns = code.insns();
  std::size_t index = code.index_of(at);
  std::uint32_t next = at;
  while (index < insns.size() && insns[index].at == next && insns[index].kind == Kind::Nop) {
    next = insns[index++].end();
    if (starts_function(code, next)) return next;
  }
  return at;
}

// Functions with the pieces that compilers split off: whatever jumps into the middle of another, or runs into it,
// belongs to it.
class Units {
 public:
  explicit Units(const CodeMap& code) : code_(code), joined_(code.functions().size() + 1) {
    std::iota(joined_.begin(), joined_.end(), 0u);
    const auto& insns = code.insns();
    bool running = false;  // control may come to where the next instruction is
    for (std::size_t i = 0; i < insns.size(); ++i) {
      const Insn& insn = insns[i];
      const std::uint32_t from = function(insn.at);
      if (running && i > 0 && insns[i - 1].end() == insn.at) join(function(insns[i - 1].at), from);
      // A call at a function's end does not return, and padding is not reached.
      if (insn.kind != Kind::Nop) {
        running = !ends_flow(insn.kind) && insn.kind != Kind::Call && insn.kind != Kind::CallIndirect;
      }
      if (!is_direct_branch(insn.kind) || insn.kind == Kind::Call) continue;
      const std::int64_t t = code.target(insn);
      if (t < 0) continue;
      const std::uint32_t to = behind_padding(code, static_cast<std::uint32_t>(t));
      if (!starts_function(code, to)) join(from, function(to));
    }
  }

  std::size_t size() const { return joined_.size(); }
  // Of the code at this offset. All code outside of functions is one.
  std::uint32_t of(std::uint32_t at) { return root(function(at)); }
  // By function.
  std::vector<std::uint32_t> all() {
    std::vector<std::uint32_t> found(joined_.size());
    for (std::uint32_t i = 0; i < found.size(); ++i) found[i] = root(i);
    return found;
  }

 private:
  std::uint32_t function(std::uint32_t at) const { return function_at(code_, at); }
  void join(std::uint32_t a, std::uint32_t b) {
    if (a != b) joined_[root(a)] = root(b);
  }
  std::uint32_t root(std::uint32_t unit) {
    while (joined_[unit] != unit) unit = joined_[unit] = joined_[joined_[unit]];
    return unit;
  }

  const CodeMap& code_;
  std::vector<std::uint32_t> joined_;
};

struct CallEdge {
  std::uint32_t from, to;
  std::size_t index;  // of the instruction
};

// Edges sorted by `from`. Appends the instructions of those that lead to a unit from which they were reached.
void search_calls(const std::vector<CallEdge>& edges, std::size_t units, Bits& closing) {
  std::vector<std::size_t> first(units + 1, edges.size());
  std::vector<bool> is_called(units);
  for (std::size_t i = edges.size(); i-- > 0;) {
    first[edges[i].from] = i;
    if (edges[i].from != edges[i].to) is_called[edges[i].to] = true;
  }
  enum class State : std::uint8_t { New, Open, Done };
  std::vector<State> states(units, State::New);
  std::vector<std::pair<std::uint32_t, std::size_t>> path;  // unit, next edge
  const auto enter = [&](std::uint32_t unit) {
    states[unit] = State::Open;
    path.emplace_back(unit, first[unit]);
  };
  const auto search = [&](std::uint32_t root) {
    for (enter(root); !path.empty();) {
      auto& [unit, at] = path.back();
      if (at == edges.size() || edges[at].from != unit) {
        states[unit] = State::Done;
        path.pop_back();
        continue;
      }
      const CallEdge& edge = edges[at++];
      if (states[edge.to] == State::Open) closing.set(edge.index);
      if (states[edge.to] == State::New) enter(edge.to);
    }
  };
  // Recursion is best counted where it comes round to what was called from outside.
  for (bool called : {false, true}) {
    for (std::uint32_t unit = 0; unit < units; ++unit) {
      if (states[unit] == State::New && is_called[unit] == called) search(unit);
    }
  }
}

// What can be reached from the units in `waiting`, these included. Edges sorted by `from`.
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

}  // namespace

void Cycles::find_recursion(const Bindings& bindings, const std::vector<std::size_t>& stubborn) {
  // Where control goes from one function to another.
  constexpr std::int64_t kElsewhere = -2;
  const auto bound = [](std::uint32_t to) -> std::int64_t {
    return to == Bindings::kElsewhere ? kElsewhere : to == Bindings::kRuntime ? -1 : std::int64_t{to};
  };
  const auto target = [&](const Insn& insn) {
    const std::int64_t t = code_.target(insn);
    return t < 0 ? -1 : std::int64_t{behind_padding(code_, static_cast<std::uint32_t>(t))};
  };
  const auto leads_to = [&](const Insn& insn) -> std::int64_t {
    if (const auto use = bindings.uses.find(insn.at); use != bindings.uses.end()) return bound(use->second);
    if (!is_direct_branch(insn.kind)) return -1;
    const std::int64_t t = code_.target(insn);
    const auto stub = t < 0 ? bindings.stubs.end() : bindings.stubs.find(static_cast<std::uint32_t>(t));
    return stub == bindings.stubs.end() ? target(insn) : bound(stub->second);
  };
  Units units(code_);
  std::vector<bool> simple(units.size());
  for (const std::size_t index : stubborn) simple[units.of(code_.insns()[index].at)] = true;
  std::vector<CallEdge> edges;
  std::vector<std::pair<std::uint32_t, std::size_t>> leaving;  // unit, instruction
  for (std::size_t i = 0; i < code_.insns().size(); ++i) {
    const Insn& insn = code_.insns()[i];
    const std::int64_t t = leads_to(insn);
    if (t == kElsewhere) leaving.emplace_back(units.of(insn.at), i);
    if (t < 0) continue;
    if (t <= std::int64_t{insn.at} && is_direct_branch(insn.kind) && simple[units.of(insn.at)]) closing_.set(i);
    const std::uint32_t from = units.of(insn.at), to = units.of(static_cast<std::uint32_t>(t));
    const bool within = is_direct_branch(insn.kind) && insn.kind != Kind::Call && t == target(insn);
    if (!within || from != to) edges.push_back({from, to, i});
  }
  std::ranges::stable_sort(edges, {}, &CallEdge::from);
  search_calls(edges, units.size(), closing_);

  std::vector<std::uint32_t> entered;
  for (const std::uint32_t at : bindings.exported) entered.push_back(units.of(at));
  const std::vector<bool> reached = reached_from(std::move(entered), edges, units.size());
  for (const auto& [unit, index] : leaving) {
    if (reached[unit]) closing_.set(index);
  }
  units_ = units.all();
}

std::vector<std::uint32_t> Cycles::entries_of(std::size_t index) const {
  const std::uint32_t function = function_at(code_, code_.insns()[index].at);
  std::vector<std::uint32_t> entries;
  if (units_[function] == units_.back()) return entries;
  for (std::size_t i = 0; i + 1 < units_.size(); ++i) {
    if (units_[i] == units_[function]) entries.push_back(code_.functions()[i].begin);
  }
  return entries;
}

}  // namespace tmrec::patch
