#include "tracee/patch/cycles.h"

#include <algorithm>
#include <array>
#include <utility>

#include "tracee/patch/call_graph.h"
#include "tracee/patch/components.h"
#include "tracee/patch/units.h"

namespace tmrec::patch {

// Straight pieces of code, which are entered at the start and left at the end, and where control goes from each.
class Cycles::Blocks {
 public:
  explicit Blocks(const CodeMap& code) : code_(code), of_(code.insns().size()) {
    const auto& insns = code.insns();
    for (std::size_t i = 0; i < insns.size(); ++i) {
      if (i == 0 || begins(insns[i - 1], insns[i])) last_.push_back(0);
      of_[i] = static_cast<std::uint32_t>(last_.size() - 1);
      last_.back() = static_cast<std::uint32_t>(i);
    }
    ways_.resize(last_.size());
    for (std::uint32_t block = 0; block < last_.size(); ++block) ways_[block] = {next(block), taken(block)};
  }

  std::size_t size() const { return last_.size(); }
  std::size_t last(std::uint32_t block) const { return last_[block]; }
  std::uint32_t of(std::size_t index) const { return of_[index]; }

  // Where control goes: behind the block, and where its branch leads. kNowhere: not.
  static std::uint32_t degree(std::uint32_t /*block*/) { return 2; }
  std::uint32_t to(std::uint32_t block, std::uint32_t way) const { return ways_[block][way]; }
  static constexpr std::uint32_t kBehind = 0, kTaken = 1;

  // What leads from here is counted.
  void cut(std::uint32_t block) { ways_[block] = {kNowhere, kNowhere}; }
  void cut_branch(std::uint32_t block) { ways_[block][kTaken] = kNowhere; }

 private:
  // Calls return.
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

  bool begins(const Insn& before, const Insn& insn) const {
    return before.end() != insn.at || (is_direct_branch(before.kind) && before.kind != Kind::Call) ||
           ends_flow(before.kind) || code_.targets().test(insn.at);
  }

  const CodeMap& code_;
  std::vector<std::uint32_t> of_;    // by instruction
  std::vector<std::uint32_t> last_;  // instruction, by block
  std::vector<std::array<std::uint32_t, 2>> ways_;
};

namespace {

// What leads where, without the branches that are counted.
template <class Blocks>
class Uncounted {
 public:
  Uncounted(const Blocks& blocks, const Components<Blocks>& components)
      : blocks_(blocks), components_(components), cut_(blocks.size()), seen_(blocks.size(), 0) {}

  void count(std::uint32_t block, bool counted) { cut_[block] = counted; }

  // Whether one block leads to another, all within a component. More blocks looked at than `budget` has left: it does.
  bool leads(std::uint32_t from, std::uint32_t to, std::uint64_t& budget) {
    ++stamp_;
    waiting_.assign(1, from);
    seen_[from] = stamp_;
    while (!waiting_.empty()) {
      const std::uint32_t at = waiting_.back();
      waiting_.pop_back();
      if (at == to || budget == 0) return true;
      --budget;
      for (const std::uint32_t way : {Blocks::kBehind, Blocks::kTaken}) {
        const std::uint32_t next = blocks_.to(at, way);
        if (next == kNowhere || (way == Blocks::kTaken && cut_[at]) || seen_[next] == stamp_) continue;
        if (components_.of(next) != components_.of(to)) continue;
        seen_[next] = stamp_;
        waiting_.push_back(next);
      }
    }
    return false;
  }

 private:
  const Blocks& blocks_;
  const Components<Blocks>& components_;
  std::vector<bool> cut_;
  std::vector<std::uint32_t> seen_, waiting_;
  std::uint32_t stamp_ = 0;
};

constexpr std::uint64_t kBudget = 400'000;  // blocks looked at for one component: functions of tens of thousands

// Whatever it takes, this branch or call can be led to a tick.
bool retargetable(const CodeMap& code, const Insn& insn) {
  const bool near = insn.kind == Kind::JccNear || insn.kind == Kind::JmpNear || insn.kind == Kind::Call;
  return near && !insn.odd && !code.jumped_into(insn);
}

}  // namespace

Cycles::Cycles(const CodeMap& code, const Bindings& bindings, const Decided& decided)
    : code_(code), closing_(code.insns().size()) {
  Blocks blocks(code);
  const Components<Blocks> components(blocks);
  Bits in_loop(code.insns().size());
  for (std::size_t i = 0; i < code.insns().size(); ++i) {
    if (components.shared(blocks.of(i)) || blocks.to(blocks.of(i), Blocks::kTaken) == blocks.of(i)) in_loop.set(i);
  }
  find_recursion(bindings, decided, in_loop);
  find_loops(blocks, components, decided);
}

void Cycles::find_loops(Blocks& blocks, const Components<Blocks>& components, const Decided& decided) {
  const auto& insns = code_.insns();
  for (std::size_t i = 0; i < insns.size(); ++i) {
    // Into the middle of an instruction (glibc: behind a lock prefix): nothing is known of what follows.
    if (!is_direct_branch(insns[i].kind)) continue;
    const std::int64_t t = code_.target(insns[i]);
    const bool start = t >= 0 && code_.starts().test(static_cast<std::size_t>(t));
    if (insns[i].kind != Kind::Call && t >= 0 && t <= insns[i].at && !start) closing_.set(i);
    // Recursion is counted here: no loop needs it once more.
    if (!closing_.test(i) || !retargetable(code_, insns[i])) continue;
    if (insns[i].kind != Kind::Call) blocks.cut_branch(blocks.of(i));
    if (insns[i].kind == Kind::Call && decided.count_calls) blocks.cut(blocks.of(i));
  }
  for (const std::size_t call : decided.calls) blocks.cut(blocks.of(call));

  struct Branch {
    std::uint32_t component, block;
  };
  std::vector<Branch> backward, guards;
  Uncounted<Blocks> uncounted(blocks, components);
  for (std::uint32_t b = 0; b < blocks.size(); ++b) {
    const std::uint32_t to = blocks.to(b, Blocks::kTaken);
    if (to == kNowhere || components.of(to) != components.of(b)) continue;
    if (to > b && !guards_switch(blocks, b, decided.stubborn)) continue;
    (to > b ? guards : backward).push_back({components.of(b), b});
    uncounted.count(b, true);
  }
  const auto order = [](const Branch& branch) { return std::pair(branch.component, branch.block); };
  std::ranges::sort(backward, {}, order);
  std::ranges::sort(guards, {}, order);
  for (const auto& branches : {backward, guards}) {
    std::uint64_t budget = 0;
    for (std::size_t i = 0; i < branches.size(); ++i) {
      const auto [component, block] = branches[i];
      if (i == 0 || branches[i - 1].component != component) budget = kBudget;
      if (uncounted.leads(blocks.to(block, Blocks::kTaken), block, budget)) {
        closing_.set(blocks.last(block));
      } else {
        uncounted.count(block, false);
      }
    }
  }
}

// It leads past a jump by a table, which is counted.
bool Cycles::guards_switch(const Blocks& blocks, std::uint32_t block, const std::vector<std::size_t>& stubborn) const {
  const std::uint32_t next = blocks.to(block, Blocks::kBehind);
  if (next == kNowhere || !retargetable(code_, code_.insns()[blocks.last(block)])) return false;
  const std::size_t last = blocks.last(next);
  return code_.insns()[last].kind == Kind::JmpIndirect && !std::ranges::binary_search(stubborn, last);
}

void Cycles::find_recursion(const Bindings& bindings, const Decided& decided, const Bits& in_loop) {
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
  // A call within a loop counts as often as many others; one that may have no room for a tick is chosen last.
  constexpr std::uint32_t kOnce = 1, kInLoop = 8, kNoRoom = 64;
  Units units(code_);
  std::vector<bool> simple(units.size());
  for (const std::size_t index : decided.stubborn) simple[units.of(code_.insns()[index].at)] = true;
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
    if (within && from == to) continue;
    const std::uint32_t weight = !retargetable(code_, insn) ? kNoRoom : in_loop.test(i) ? kInLoop : kOnce;
    edges.push_back({from, to, weight, i});
  }
  std::ranges::stable_sort(edges, {}, &CallEdge::from);
  for (const std::size_t index : closing_calls(edges, units.size())) closing_.set(index);

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
