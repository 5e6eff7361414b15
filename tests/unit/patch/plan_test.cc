// What must hold of every plan, for every module, whatever the module does.
#include "tracee/patch/plan.h"

#include <doctest/doctest.h>
#include <xxhash.h>

#include <algorithm>
#include <map>

#include "tests/unit/patch/modules.h"
#include "tests/unit/patch/plan_checks.h"

using namespace tmrec;
using namespace tmrec::patch;

namespace {

Module load(const std::string& path, const PlanOptions& options) {
  auto module = Module::load(path, options);
  REQUIRE(module);
  return std::move(*module);
}

Faults check(const Module& m) {
  CAPTURE(m.path);
  Faults faults = faults_of(m);
  for (const auto& note : faults.notes) MESSAGE(note);
  CHECK(faults.boundaries == 0);
  CHECK(faults.windows == 0);
  CHECK(faults.copies == 0);
  CHECK(faults.ways_out == 0);
  CHECK(faults.sites == 0);
  CHECK(faults.map == 0);
  CHECK(faults.encoding == 0);
  return faults;
}

}  // namespace

TEST_CASE("plans of real modules keep their promises") {
  std::size_t edges = 0, unpatched = 0;
  // Large functions that ICU and libstdc++ fill with switches, and Go's assembly, leave little room for jumps.
  std::size_t modules_with_more = 0;
  for (const auto& path : modules()) {
    auto module = load(path, {});
    Faults faults = check(module);
    BackEdges counts = back_edges(module);
    edges += counts.all;
    unpatched += counts.unpatched();
    MESSAGE(path, ": ", counts.all, " back edges, unpatched ", counts.unpatched(), ", windows ",
            counts.by_method[static_cast<std::size_t>(Method::Window)]);
    CHECK(counts.unpatched() * 140 <= counts.all);
    modules_with_more += counts.unpatched() * 1000 > counts.all ? 1 : 0;
    if (counts.all > 100) CHECK(faults.jumps_seen > 100);
  }
  CHECK(modules_with_more <= 3);
  CHECK(unpatched * 1000 <= edges);
  for (const auto& path : absent_modules()) MESSAGE(path, ": skipped, it is not installed");
}

TEST_CASE("the checks see each kind of damage") {
  const auto intact = load("/usr/lib/x86_64-linux-gnu/libz.so.1", {});
  const auto window =
      std::ranges::find_if(intact.plan.edits, [](const Edit& e) { return e.length > 5; }) - intact.plan.edits.begin();
  const Edit edit = intact.plan.edits[static_cast<std::size_t>(window)];
  const auto retargeted = std::ranges::find(intact.plan.sites, Method::Retarget, &Site::method);
  auto damaged = [&](auto damage) {
    Module module = load(intact.path, {});
    damage(module);
    return faults_of(module);
  };
  CHECK(faults_of(intact).total() == 0);
  CHECK(damaged([&](Module& m) { m.entries.set(edit.program + 1); }).boundaries == 1);
  CHECK(damaged([&](Module& m) { m.patched[edit.program + 1] ^= 0x40; }).windows == 1);
  CHECK(damaged([&](Module& m) { m.plan.block[m.plan.copies[10].block] ^= 1; }).copies > 0);
  CHECK(damaged([&](Module& m) { m.patched[retargeted->program + retargeted->length - 4u] ^= 0x20; }).sites == 1);
  CHECK(damaged([&](Module& m) { m.plan.copies[0].program = m.plan.copies[m.plan.copies.size() - 1].program; }).map >
        0);
  CHECK(damaged([&](Module& m) { m.plan.stops[3].resume = 0; }).map > 0);
  const auto loop = std::ranges::find(intact.plan.sites, SiteKind::BackwardBranch, &Site::kind);
  const auto index = static_cast<std::size_t>(loop - intact.plan.sites.begin());
  CHECK(damaged([&](Module& m) { m.plan.sites[index].program = 0; }).cycles == 1);
  CHECK(damaged([&](Module& m) { m.plan.edits[0].length += 5; }).total() > 0);
}

TEST_CASE("other reaches and options") {
  auto path = modules().front();
  check(load(path, {.reach = Reach::FarBelow}));
  check(load(path, {.reach = Reach::Above}));
  check(load(path, {.copy_loops = false}));
  auto traps = load(path, {.traps = true});
  check(traps);
  for (const Site& s : traps.plan.sites) {
    if (s.method == Method::Trap) CHECK(traps.patched[s.program] == 0xcc);
  }
  auto special = load(path, {.ticks = false});
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

TEST_CASE("the block lies in the encoding as it is mapped; old encodings are read, but not mapped from") {
  auto plan = make_plan(contents(modules().front()));
  REQUIRE(plan);
  const std::string text = plan->encode();
  auto bytes_of = [](const std::string& t) { return Bytes(reinterpret_cast<const std::uint8_t*>(t.data()), t.size()); };
  std::array<std::uint64_t, 2> hash{};
  auto again = Plan::view(bytes_of(text), nullptr, &hash);
  REQUIRE(again);
  const XXH128_hash_t expected = XXH3_128bits(text.data(), text.size());
  CHECK(hash == std::array<std::uint64_t, 2>{expected.low64, expected.high64});
  CHECK(again->block_in_file % 4096 == 0);
  REQUIRE(again->block_in_file + plan->block.size() <= text.size());
  CHECK(std::ranges::equal(bytes_of(text).subspan(again->block_in_file, plan->block.size()), Bytes(plan->block)));

  // Before blocks were mapped, the arrays followed the header at once: 136 bytes, its version at 8.
  constexpr std::size_t kHeader = 136;
  std::string old = text.substr(0, kHeader) + text.substr(plan->block_in_file, text.size() - plan->block_in_file - 8);
  old[8] = 1;
  const std::uint64_t sum = XXH3_64bits(old.data(), old.size());
  old.append(reinterpret_cast<const char*>(&sum), sizeof sum);
  auto read = Plan::decode(bytes_of(old));
  REQUIRE(read);
  CHECK(read->block_in_file == 0);
  CHECK(read->encode() == text);
}
