#include "tests/unit/patch/plan_checks.h"

#include <algorithm>
#include <cstring>

#include "tests/unit/patch/modules.h"
#include "tracee/patch/block.h"
#include "tracee/patch/hidden_entries.h"
#include "tracee/patch/vsyscall.h"

namespace tmrec::patch {

namespace {

constexpr std::size_t kMaxNotes = 8;

// One module's checks, which share the notes.
class Check {
 public:
  explicit Check(const Module& module)
      : m_(module), entered_(module.code.text().size()), called_(module.code.text().size()) {}

  Faults run() {
    mark_entries();
    check_boundaries();
    check_windows();
    check_copies();
    check_ways_out();
    check_sites();
    check_places();
    check_stops();
    if (m_.plan.options.ticks && m_.plan.options.calls) check_cycles();
    check_encoding();
    return std::move(faults_);
  }

 private:
  void broken(std::size_t& count, std::string_view what, std::uint64_t program, std::uint64_t block) {
    if (++count <= kMaxNotes) {
      faults_.notes.push_back(std::string(what) + ": program " + std::to_string(m_.code.base() + program) + ", block " +
                              std::to_string(block));
    }
  }
  void mark(Va va) {
    if (m_.code.holds(va)) entered_.set(m_.code.offset(va));
  }
  // The planner's own knowledge, and what the file says plainly, read once more without its filters.
  void mark_entries() {
    for (std::uint32_t at = 0; at < m_.code.text().size(); ++at) {
      if (m_.entries.test(at) || m_.code.targets().test(at)) entered_.set(at);
    }
    mark(m_.image.entry());
    for (const Symbol& symbol : m_.image.symbols()) mark(symbol.va);
    for (const Relocation& relocation : m_.image.relocations()) mark(relocation.value);
    for (const FunctionRange& function : m_.code.functions()) entered_.set(function.begin);
  }
  const Insn* insn_at(std::uint32_t at) const {
    return m_.code.starts().test(at) ? &m_.code.insns()[m_.code.index_of(at)] : nullptr;
  }

  // Inside what was changed, each boundary of the original is unentered; inside windows it also traps.
  void check_boundaries() {
    for (const Edit& e : m_.plan.edits) {
      bool window = e.length >= 5;
      for (std::uint32_t at = e.program + 1; at < e.program + e.length; ++at) {
        bool start = m_.code.starts().test(at);
        if (entered_.test(at) && (window || start)) broken(faults_.boundaries, "entered inside an edit", at, 0);
        if (!start || !window) continue;
        if (!is_trapping(m_.patched[at])) broken(faults_.boundaries, "no trap inside a window", at, 0);
        if (m_.plan.copies_of(at).empty()) broken(faults_.boundaries, "no copy to go on at", at, 0);
      }
    }
  }

  // Where a jump with its rel32 at `at` (offset in the text) leads, as an offset in the block.
  std::int64_t lands(std::uint32_t at) const {
    std::int32_t rel;
    std::memcpy(&rel, m_.patched.data() + at, 4);
    return static_cast<std::int64_t>(m_.code.va(at + 4)) + rel - m_.plan.block_va;
  }
  // Code that begins at this offset in the block, and is on the way to `program`.
  bool begins(std::int64_t block, std::uint32_t program) const {
    if (block <= 0 || block >= std::int64_t(m_.plan.block.size())) return false;
    const Place& place = m_.plan.place_of(static_cast<std::uint32_t>(block));
    return place.block == block && place.program == program && place.phase != Phase::Stub;
  }
  // The program offset that an offset in the block stands for.
  std::uint32_t destination(std::int64_t block) const {
    return m_.plan.place_of(static_cast<std::uint32_t>(block)).program;
  }

  void check_windows() {
    for (const Edit& e : m_.plan.edits) {
      if (e.length < 5) continue;
      std::int64_t to = lands(e.program + 1);
      if (m_.patched[e.program] != 0xe9 || !begins(to, e.program))
        broken(faults_.windows, "a window leads elsewhere", e.program, static_cast<std::uint64_t>(to));
    }
  }

  // A copied loop's own back edge, when unconditional, has no copy: who goes there goes to the tick at once.
  bool leads_to(std::int64_t target, std::int64_t program) const {
    if (program == target) return true;
    if (target < 0 || target >= std::int64_t(m_.code.text().size())) return false;
    const Insn* insn = insn_at(static_cast<std::uint32_t>(target));
    return insn && (insn->kind == Kind::JmpShort || insn->kind == Kind::JmpNear) && m_.code.target(*insn) == program;
  }

  bool same_branch(const Insn& original, const Insn& copy, Bytes here) const {
    std::int64_t to = std::int64_t{copy.end()} + branch_displacement(copy, here);
    bool inside = to >= 0 && to < std::int64_t(m_.plan.block.size());
    std::int64_t program = inside ? destination(to) : m_.plan.block_va + to - std::int64_t(m_.code.base());
    // The back edge of a copied loop has its condition inverted, to leave the loop.
    return leads_to(m_.code.target(original), program) || program == original.end();
  }

  // A jump may be replaced by counting its tick; what follows is on the way to its target.
  bool counts_jump(const Insn& original, std::uint32_t block) const {
    if (original.kind != Kind::JmpShort && original.kind != Kind::JmpNear) return false;
    const auto next = std::ranges::upper_bound(m_.plan.places, block, {}, &Place::block);
    return m_.plan.block[block] == 0x65 && next != m_.plan.places.end() &&
           std::int64_t{next->program} == m_.code.target(original) &&
           (next->phase == Phase::Counted || next->phase == Phase::Scratch);
  }

  bool same_instruction(const Insn& original, std::uint32_t block) const {
    if (counts_jump(original, block)) return true;
    Bytes here = Bytes(m_.plan.block).subspan(block), there = m_.code.bytes(original);
    auto copy = decode(here, block);
    if (!copy) return false;
    if (is_direct_branch(original.kind)) return same_branch(original, *copy, here);
    if (is_special(original.kind)) return here[0] == 0x65;
    if (original.kind == Kind::JmpIndirect && m_.plan.place_of(block).phase != Phase::Counted && here[0] == 0x65)
      return true;
    if (copy->length != original.length || copy->kind != original.kind) return false;
    for (unsigned i = 0; i < original.length; ++i) {
      unsigned displacement = original.rip_displacement;
      bool relocated = displacement != 0 && i >= displacement && i < displacement + 4u;
      if (!relocated && here[i] != there[i]) return false;
    }
    if (original.rip_displacement == 0) return true;
    return m_.plan.block_va + copy->end() + rip_displacement(*copy, here) ==
           std::int64_t(m_.code.va(original.end())) + rip_displacement(original, there);
  }

  void check_copies() {
    for (const Place& p : m_.plan.copies) {
      const Insn* original = insn_at(p.program);
      if (!original || !same_instruction(*original, p.block))
        broken(faults_.copies, "a copy differs", p.program, p.block);
    }
  }

  // Jumps from the block into the text never lead into a window.
  void check_ways_out() {
    Bits inside(m_.code.text().size());
    for (const Edit& e : m_.plan.edits) inside.set_range(e.program + 1, e.program + e.length);
    const auto& places = m_.plan.places;
    for (std::size_t i = 0; i < places.size(); ++i) {
      if (places[i].phase == Phase::Stub) continue;
      std::uint32_t end = i + 1 < places.size() ? places[i + 1].block : std::uint32_t(m_.plan.block.size());
      for (std::uint32_t at = places[i].block; at < end;) {
        Bytes bytes = Bytes(m_.plan.block).subspan(at);
        auto insn = decode(bytes, at);
        if (!insn) {
          broken(faults_.ways_out, "can't be decoded", places[i].program, at);
          break;
        }
        at = insn->end();
        if (!is_direct_branch(insn->kind)) continue;
        std::int64_t to = m_.plan.block_va + at + branch_displacement(*insn, bytes) - std::int64_t(m_.code.base());
        if (to < 0 || to >= std::int64_t(m_.code.text().size())) continue;
        ++faults_.jumps_seen;
        if (inside.test(static_cast<std::size_t>(to)))
          broken(faults_.ways_out, "leads into a window", static_cast<std::uint64_t>(to), at);
      }
    }
  }

  // Sites changed in place lead to their stop's program address.
  void check_sites() {
    for (const Site& s : m_.plan.sites) {
      const Insn* insn = insn_at(s.program);
      if (s.kind == SiteKind::Vsyscall && insn) {
        const auto twin = vsyscall_twin_of(*insn, m_.code.bytes(*insn));
        std::uint32_t there;
        std::memcpy(&there, m_.patched.data() + insn->end() - 4, sizeof there);
        if (!twin || (s.method == Method::Retarget && there != *twin)) {
          broken(faults_.sites, "a call of the vsyscall page leads elsewhere", s.program, 0);
        }
        continue;
      }
      bool ok = insn && insn->length == s.length && (s.method == Method::None || s.stop < m_.plan.stops.size());
      if (ok && s.method == Method::Retarget) {
        std::int64_t to = lands(s.program + s.length - 4u);
        std::uint32_t target = m_.plan.stops[s.stop].program;
        ok = begins(to, target) && target == m_.code.target(*insn);
      }
      if (ok && s.method == Method::Trap) ok = m_.patched[s.program] == 0xcc;
      if (!ok) broken(faults_.sites, "a site leads elsewhere", s.program, 0);
    }
  }

  // Every byte of the block stands for something, and each copy is found from both sides.
  void check_places() {
    const auto& plan = m_.plan;
    if (plan.places.empty() || plan.places.front().block != 0 ||
        !std::ranges::is_sorted(plan.places, {}, &Place::block) ||
        std::ranges::adjacent_find(plan.places, {}, &Place::block) != plan.places.end()) {
      broken(faults_.map, "places are out of order", 0, 0);
      return;
    }
    std::size_t exact = 0;
    for (const Place& p : plan.places) {
      bool ok = p.block < plan.block.size() && (p.phase == Phase::Stub || p.program < plan.text_size);
      if (ok && p.phase == Phase::Exact) {
        ++exact;
        ok = insn_at(p.program) && std::ranges::count(plan.copies_of(p.program), p.block) == 1;
      }
      if (!ok) broken(faults_.map, "a place stands for nothing", p.program, p.block);
    }
    for (const Place& p : plan.copies) {
      const Place& found = plan.place_of(p.block);
      if (found.block != p.block || found.program != p.program || found.phase != Phase::Exact)
        broken(faults_.map, "a copy stands for another instruction", p.program, p.block);
    }
    if (exact != plan.copies.size()) broken(faults_.map, "copies are missing", exact, plan.copies.size());
  }

  // Where the agent goes on from a stop is on the way from the stop's own instruction.
  void check_stops() {
    for (const Stop& s : m_.plan.stops) {
      if (s.program >= m_.plan.text_size || s.resume >= m_.plan.block.size()) {
        broken(faults_.map, "a stop lies outside", s.program, s.resume);
        continue;
      }
      const Place& place = m_.plan.place_of(s.resume);
      bool special = s.kind >= SiteKind::Syscall;
      if (place.phase == Phase::Stub || place.program != s.program + (special ? s.length : 0u))
        broken(faults_.map, "a stop goes on elsewhere", s.program, s.resume);
    }
  }

  // A call does not return when it is the last thing before what is called itself.
  bool ends_function(std::size_t index) const {
    const auto& insns = m_.code.insns();
    for (std::size_t next = index + 1; next < insns.size() && insns[next - 1].end() == insns[next].at; ++next) {
      const std::uint32_t at = insns[next].at;
      if (called_.test(at) || std::ranges::binary_search(m_.code.functions(), at, {}, &FunctionRange::begin))
        return true;
      if (insns[next].kind != Kind::Nop) return false;
    }
    return true;
  }

  // Where control goes from an instruction without passing a site: behind it, and where it branches to or calls.
  struct Ways {
    std::array<std::size_t, 2> to;
    unsigned count = 0;
    void add(std::size_t index) { to[count++] = index; }
  };
  Ways ways_from(std::size_t index, const Bits& counted, const Bits& passed) const {
    const auto& insns = m_.code.insns();
    const Insn& insn = insns[index];
    Ways ways;
    if (passed.test(insn.at)) return ways;
    const bool is_call = insn.kind == Kind::Call || insn.kind == Kind::CallIndirect;
    const bool returns = !is_call || !ends_function(index);
    if (!ends_flow(insn.kind) && returns && index + 1 < insns.size() && insns[index + 1].at == insn.end())
      ways.add(index + 1);
    std::int64_t target = is_direct_branch(insn.kind) && !counted.test(insn.at) ? m_.code.target(insn) : -1;
    if (target >= 0 && m_.code.starts().test(static_cast<std::size_t>(target)))
      ways.add(m_.code.index_of(static_cast<std::uint32_t>(target)));
    return ways;
  }

  // Instruction by instruction, over the whole module, calls included: a search from each never meets its own path.
  void check_cycles() {
    Bits counted(m_.code.text().size()), passed(m_.code.text().size());
    for (const Site& s : m_.plan.sites) {
      counted.set(s.program);
      // Nobody comes past these calls uncounted, be it into the function or back from it.
      if (s.kind == SiteKind::Call && (s.method == Method::Retarget || s.method == Method::Window))
        passed.set(s.program);
    }
    for (const Insn& insn : m_.code.insns()) {
      if (insn.kind == Kind::Call && m_.code.target(insn) >= 0)
        called_.set(static_cast<std::size_t>(m_.code.target(insn)));
    }
    const std::size_t all = m_.code.insns().size();
    std::vector<std::uint8_t> state(all, 0);  // 1: on the path, 2: done
    std::vector<std::pair<std::size_t, unsigned>> path;
    for (std::size_t root = 0; root < all; ++root) {
      if (state[root] == 0) path.emplace_back(root, 0), state[root] = 1;
      while (!path.empty()) {
        auto& [index, way] = path.back();
        const Ways ways = ways_from(index, counted, passed);
        if (way == ways.count) {
          state[index] = 2;
          path.pop_back();
          continue;
        }
        const std::size_t next = ways.to[way++];
        if (state[next] == 1)
          broken(faults_.cycles, "a cycle without a tick", m_.code.insns()[next].at, m_.code.insns()[index].at);
        if (state[next] == 0) path.emplace_back(next, 0), state[next] = 1;
      }
    }
  }

  void check_encoding() {
    std::string text = m_.plan.encode();
    auto again = Plan::decode(Bytes(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
    if (!again || again->encode() != text) broken(faults_.encoding, "the encoding loses something", 0, text.size());
  }

  const Module& m_;
  Bits entered_, called_;
  Faults faults_;
};

}  // namespace

Result<Module> Module::load(const std::string& path, const PlanOptions& options) {
  auto file = contents(path);
  auto image = ElfImage::parse(file);
  if (!image) return std::unexpected(image.error());
  auto unwind = read_unwind_info(*image);
  auto code = CodeMap::make(*image, unwind);
  if (!code) return std::unexpected(code.error());
  auto entries = find_hidden_entries(*image, unwind, *code);
  auto plan = make_plan(file, options);
  if (!plan) return std::unexpected(plan.error());
  std::vector<std::uint8_t> patched(code->text().begin(), code->text().end());
  plan->apply(patched);
  return Module{path,
                std::move(file),
                std::move(*image),
                std::move(*code),
                std::move(entries),
                std::move(*plan),
                std::move(patched)};
}

Faults faults_of(const Module& module) { return Check(module).run(); }

BackEdges back_edges(const Module& module) {
  BackEdges counts;
  for (const Site& s : module.plan.sites) {
    if (s.kind != SiteKind::BackwardBranch) continue;
    ++counts.all;
    ++counts.by_method[static_cast<std::size_t>(s.method)];
  }
  return counts;
}

}  // namespace tmrec::patch
