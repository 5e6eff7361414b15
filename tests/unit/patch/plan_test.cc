// What must hold of every plan, for every module, whatever the module does.
#include "tracee/patch/plan.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>

#include "tests/unit/patch/modules.h"
#include "tracee/patch/block.h"
#include "tracee/patch/hidden_entries.h"

using namespace tmrec;
using namespace tmrec::patch;

namespace {

// A module, analysed apart from its plan.
struct Module {
  std::string path;
  std::vector<std::uint8_t> file;
  ElfImage image;
  CodeMap code;
  Bits entries;
  Plan plan;
  std::vector<std::uint8_t> patched;

  static Module load(const std::string& path, const PlanOptions& options) {
    auto file = contents(path);
    auto image = ElfImage::parse(file);
    REQUIRE(image);
    auto unwind = read_unwind_info(*image);
    auto code = CodeMap::make(*image, unwind);
    REQUIRE(code);
    auto entries = find_hidden_entries(*image, unwind, *code);
    auto plan = make_plan(file, options);
    REQUIRE(plan);
    std::vector<std::uint8_t> patched(code->text().begin(), code->text().end());
    plan->apply(patched);
    return {path,
            std::move(file),
            std::move(*image),
            std::move(*code),
            std::move(entries),
            std::move(*plan),
            std::move(patched)};
  }

  // Where a jump with its rel32 at `at` (offset in the text) leads, as an offset in the block.
  std::int64_t lands(std::uint32_t at) const {
    std::int32_t rel;
    std::memcpy(&rel, patched.data() + at, 4);
    return static_cast<std::int64_t>(code.va(at + 4)) + rel - plan.block_va;
  }
  // Follows jumps within the block to the program offset they stand for.
  std::uint32_t destination(std::int64_t block) const {
    return plan.place_of(static_cast<std::uint32_t>(block)).program;
  }
};

bool entered(const Module& m, std::uint32_t at) { return m.entries.test(at) || m.code.targets().test(at); }

// Inside what was changed, each boundary of the original is unentered; inside windows it also traps.
std::size_t bad_boundaries(const Module& m) {
  std::size_t bad = 0;
  for (const Edit& e : m.plan.edits) {
    bool window = e.length >= 5;
    for (std::uint32_t at = e.program + 1; at < e.program + e.length; ++at) {
      if (entered(m, at) && (window || m.code.starts().test(at))) ++bad;
      if (!m.code.starts().test(at)) continue;
      if (window && !is_trapping(m.patched[at])) ++bad;
      if (window && m.plan.copies_of(at).empty()) ++bad;
    }
  }
  return bad;
}

// Each window's jump leads to a copy of its first instruction.
std::size_t bad_windows(const Module& m) {
  std::size_t bad = 0;
  for (const Edit& e : m.plan.edits) {
    if (e.length < 5) continue;
    std::int64_t to = m.lands(e.program + 1);
    bool ok = m.patched[e.program] == 0xe9 && to > 0 && to < std::int64_t(m.plan.block.size()) &&
              m.destination(to) == e.program;
    bad += !ok;
  }
  return bad;
}

// A copied loop's own back edge, when unconditional, has no copy: who goes there goes to the tick at once.
bool leads_to(const Module& m, std::int64_t target, std::int64_t program) {
  if (program == target) return true;
  if (target < 0 || !m.code.starts().test(static_cast<std::size_t>(target))) return false;
  const Insn& insn = m.code.insns()[m.code.index_of(static_cast<std::uint32_t>(target))];
  return (insn.kind == Kind::JmpShort || insn.kind == Kind::JmpNear) && m.code.target(insn) == program;
}

bool same_instruction(const Module& m, const Insn& original, std::uint32_t block) {
  Bytes here = Bytes(m.plan.block).subspan(block), there = m.code.bytes(original);
  auto copy = decode(here, block);
  if (!copy) return false;
  if (is_direct_branch(original.kind)) {
    std::int64_t to = std::int64_t{copy->end()} + branch_displacement(*copy, here);
    bool inside = to >= 0 && to < std::int64_t(m.plan.block.size());
    std::int64_t program = inside ? m.destination(to) : m.plan.block_va + to - std::int64_t(m.code.base());
    // The back edge of a copied loop has its condition inverted, to leave the loop.
    return leads_to(m, m.code.target(original), program) || program == original.end();
  }
  if (is_special(original.kind)) return here[0] == 0x65;
  if (original.kind == Kind::JmpIndirect && m.plan.place_of(block).phase != Phase::Counted && here[0] == 0x65)
    return true;
  if (copy->length != original.length || copy->kind != original.kind) return false;
  for (unsigned i = 0; i < original.length; ++i) {
    bool displacement =
        original.rip_displacement != 0 && i >= original.rip_displacement && i < original.rip_displacement + 4u;
    if (!displacement && here[i] != there[i]) return false;
  }
  if (original.rip_displacement == 0) return true;
  return m.plan.block_va + copy->end() + rip_displacement(*copy, here) ==
         std::int64_t(m.code.va(original.end())) + rip_displacement(original, there);
}

std::size_t bad_copies(const Module& m) {
  std::size_t bad = 0;
  for (const Place& p : m.plan.copies) {
    if (!m.code.starts().test(p.program)) {
      ++bad;
      continue;
    }
    if (same_instruction(m, m.code.insns()[m.code.index_of(p.program)], p.block)) continue;
    ++bad;
    MESSAGE("the copy of ", m.code.va(p.program), " at ", p.block, " differs");
  }
  return bad;
}

// Jumps from the block into the text never lead into a window.
std::size_t bad_ways_out(const Module& m) {
  Bits inside(m.code.text().size());
  for (const Edit& e : m.plan.edits) inside.set_range(e.program + 1, e.program + e.length);
  std::size_t bad = 0, seen = 0;
  for (std::size_t i = 0; i < m.plan.places.size(); ++i) {
    if (m.plan.places[i].phase == Phase::Stub) continue;
    std::uint32_t end = i + 1 < m.plan.places.size() ? m.plan.places[i + 1].block : std::uint32_t(m.plan.block.size());
    for (std::uint32_t at = m.plan.places[i].block; at < end;) {
      Bytes bytes = Bytes(m.plan.block).subspan(at);
      auto insn = decode(bytes, at);
      if (!insn) return bad + 1;
      at = insn->end();
      if (!is_direct_branch(insn->kind)) continue;
      std::int64_t to = m.plan.block_va + at + branch_displacement(*insn, bytes) - std::int64_t(m.code.base());
      if (to < 0 || to >= std::int64_t(m.code.text().size())) continue;
      ++seen;
      auto offset = static_cast<std::uint32_t>(to);
      if (!inside.test(offset)) continue;
      if (++bad < 5)
        MESSAGE("from ", at, " in the block, phase ", int(m.plan.places[i].phase), ", to ", m.code.va(offset));
    }
  }
  CHECK(seen > 100);
  return bad;
}

// Sites changed in place lead to their stop's program address.
std::size_t bad_sites(const Module& m) {
  std::size_t bad = 0;
  for (const Site& s : m.plan.sites) {
    if (s.method != Method::None && s.stop >= m.plan.stops.size()) ++bad;
    if (s.method != Method::Retarget) continue;
    std::int64_t to = m.lands(s.program + s.length - 4);
    const Insn& insn = m.code.insns()[m.code.index_of(s.program)];
    bad += m.destination(to) != m.plan.stops[s.stop].program || m.plan.stops[s.stop].program != m.code.target(insn);
  }
  return bad;
}

void check(const Module& m) {
  CAPTURE(m.path);
  CHECK(bad_boundaries(m) == 0);
  CHECK(bad_windows(m) == 0);
  CHECK(bad_copies(m) == 0);
  CHECK(bad_sites(m) == 0);
  CHECK(bad_ways_out(m) == 0);
  CHECK(m.plan.places.front().block == 0);
  CHECK(std::ranges::is_sorted(m.plan.places, {}, &Place::block));
  CHECK(std::ranges::adjacent_find(m.plan.places, {}, &Place::block) == m.plan.places.end());
}

}  // namespace

TEST_CASE("plans of real modules keep their promises") {
  for (const auto& path : modules()) {
    auto module = Module::load(path, {});
    check(module);
    std::map<Method, std::size_t> methods;
    std::size_t edges = 0;
    for (const Site& s : module.plan.sites) {
      if (s.kind != SiteKind::BackwardBranch) continue;
      ++edges;
      ++methods[s.method];
    }
    MESSAGE(path, ": ", edges, " back edges, unpatched ", methods[Method::None], ", windows ", methods[Method::Window]);
    CHECK(methods[Method::None] * 200 <= edges);
  }
}

TEST_CASE("other reaches and options") {
  auto path = modules().front();
  check(Module::load(path, {.reach = Reach::FarBelow}));
  check(Module::load(path, {.reach = Reach::Above}));
  check(Module::load(path, {.copy_loops = false}));
  auto traps = Module::load(path, {.traps = true});
  check(traps);
  for (const Site& s : traps.plan.sites) {
    if (s.method == Method::Trap) CHECK(traps.patched[s.program] == 0xcc);
  }
  auto special = Module::load(path, {.ticks = false});
  check(special);
  CHECK(std::ranges::all_of(special.plan.sites, [](const Site& s) { return s.kind >= SiteKind::Syscall; }));
  CHECK(std::ranges::count_if(special.plan.sites, [](const Site& s) { return s.kind == SiteKind::Syscall; }) > 100);
}

TEST_CASE("a plan is the same each time, and survives its encoding") {
  auto file = contents(modules().front());
  auto plan = make_plan(file);
  REQUIRE(plan);
  std::string text = plan->encode();
  CHECK(make_plan(file)->encode() == text);
  auto bytes = [&] { return Bytes(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()); };
  auto again = Plan::decode(bytes());
  REQUIRE(again);
  CHECK(again->encode() == text);
  CHECK(again->copies.size() == plan->copies.size());
  for (std::size_t at = 0; at < text.size(); at += 1 + text.size() / 500) {
    text[at] ^= 0x10;
    CHECK_FALSE(Plan::decode(bytes()));
    text[at] ^= 0x10;
  }
  text.resize(text.size() / 2);
  CHECK_FALSE(Plan::decode(bytes()));
}
