// Patched modules in the cache: the module's own file but for the text, verified, and never larger than allowed.
#include "tracee/module_image.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <set>

#include "tests/unit/patch/cache_fixture.h"
#include "tracee/plan_cache.h"

using namespace tmrec;
using namespace tmrec::tracee;
namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kPlenty = std::uint64_t{1} << 30;

struct Module {
  CacheDirectory directory;
  std::vector<std::uint8_t> file = patch::contents(kSmallModule);
  std::shared_ptr<const EncodedPlan> plan;
  Module() {
    auto outcome = PlanCache::open(directory.path).find_or_make(key_of_bytes(file), file, "libz");
    REQUIRE(outcome);
    plan = *outcome;
  }
  fs::path path(const std::string& name = "libz.so.1") const {
    return directory.path / (plan->name.substr(0, plan->name.size() - std::string(".plan").size()) + ".image") / name;
  }
};

void damage(const fs::path& path, std::string_view bytes) {
  ::chmod(path.c_str(), 0600);
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

}  // namespace

TEST_CASE("an image is the module with its text patched, and the trampolines") {
  const Module module;
  const PlanStore store = PlanStore::open(module.directory.path, kPlenty);
  CHECK_FALSE(store.find_image(*module.plan, "libz.so.1"));
  REQUIRE(store.put_image(*module.plan, module.file, "libz.so.1"));
  const auto image = store.find_image(*module.plan, "libz.so.1");
  REQUIRE(image);
  CHECK(image->path == fs::canonical(module.path()));
  CHECK_FALSE(store.find_image(*module.plan, "another"));

  const patch::Plan& plan = *module.plan->plan;
  std::vector<std::uint8_t> expected = module.file;
  plan.apply(std::span(expected).subspan(plan.text_offset, plan.text_size));
  CHECK(expected != module.file);
  expected.resize(image->block_at);
  expected.insert(expected.end(), plan.block.begin(), plan.block.end());
  const std::string found = text_in(module.path());
  REQUIRE(found.size() > expected.size());
  CHECK(std::equal(expected.begin(), expected.end(), found.begin(),
                   [](std::uint8_t a, char b) { return a == static_cast<std::uint8_t>(b); }));
  CHECK(image->block_at % 4096 == 0);
}

TEST_CASE("a damaged image is no image") {
  const Module module;
  const PlanStore store = PlanStore::open(module.directory.path, kPlenty);
  REQUIRE(store.put_image(*module.plan, module.file, "libz.so.1"));
  const std::string whole = text_in(module.path());
  const auto [begin, end] = text_pages(*module.plan->plan);
  const std::uint64_t block_at = store.find_image(*module.plan, "libz.so.1")->block_at;
  std::set<std::uint64_t> places = {begin, begin + 100, end - 1, block_at, block_at + 5000, whole.size() - 1};
  for (std::size_t at = whole.size() - 80; at < whole.size(); ++at) places.insert(at);
  int taken = 0;
  for (const std::uint64_t at : places) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << (at % 8)));
    damage(module.path(), damaged);
    taken += store.find_image(*module.plan, "libz.so.1") != nullptr;
    damage(module.path(), std::string_view(whole).substr(0, at));
    taken += store.find_image(*module.plan, "libz.so.1") != nullptr;
  }
  damage(module.path(), whole + "more");
  taken += store.find_image(*module.plan, "libz.so.1") != nullptr;
  damage(module.path(), "");
  taken += store.find_image(*module.plan, "libz.so.1") != nullptr;
  damage(module.path(), whole);
  CHECK(taken == 0);
  CHECK(store.find_image(*module.plan, "libz.so.1"));
  ::chmod(module.path().c_str(), 0622);
  CHECK_FALSE(store.find_image(*module.plan, "libz.so.1"));
}

TEST_CASE("a file that the plan was not made for has no image") {
  const Module module;
  const PlanStore store = PlanStore::open(module.directory.path, kPlenty);
  auto other = module.file;
  const patch::Plan& plan = *module.plan->plan;
  other[plan.text_offset + plan.edits[7].program] ^= 1;
  CHECK_FALSE(store.put_image(*module.plan, other, "libz.so.1"));
  CHECK_FALSE(store.put_image(*module.plan, patch::Bytes(module.file).first(plan.text_offset + 10), "libz.so.1"));
  CHECK_FALSE(PlanStore::open({}, kPlenty).put_image(*module.plan, module.file, "libz.so.1"));
  // Larger than its share of the cache.
  CHECK_FALSE(
      PlanStore::open(module.directory.path, module.file.size() * 2).put_image(*module.plan, module.file, "libz.so.1"));
}

TEST_CASE("images make room as plans do") {
  const Module module;
  const PlanStore store = PlanStore::open(module.directory.path, kPlenty);
  for (const char* name : {"a", "b", "c"}) REQUIRE(store.put_image(*module.plan, module.file, name));
  const auto age = [&](const std::string& name, std::int64_t seconds) {
    timespec times[2] = {};
    times[0].tv_sec = times[1].tv_sec = ::time(nullptr) - seconds;
    REQUIRE(::utimensat(AT_FDCWD, module.path(name).c_str(), times, 0) == 0);
  };
  age("a", 300);
  age("b", 200);
  age("c", 100);
  REQUIRE(store.find_image(*module.plan, "a"));  // used now
  const std::uint64_t size = fs::file_size(module.path("a")),
                      plan = fs::file_size(module.directory.path / module.plan->name);
  PlanStore::open(module.directory.path, 4 * size + plan).put_image(*module.plan, module.file, "d");
  CHECK(fs::exists(module.path("d")));
  CHECK(fs::exists(module.path("b")));
  PlanStore::open(module.directory.path, 4 * size + plan).put_image(*module.plan, module.file, "e");
  CHECK_FALSE(fs::exists(module.path("b")));
  for (const char* name : {"a", "c", "d", "e"}) CHECK(fs::exists(module.path(name)));
}

TEST_CASE("an image is made once and found on disk") {
  const Module module;
  {
    PlanCache cache = PlanCache::open(module.directory.path);
    CHECK_FALSE(cache.image(module.plan, "/nonexistent", "gone"));
    CHECK_FALSE(cache.image(module.plan, "/usr/lib/x86_64-linux-gnu/libc.so.6", "another"));
    CHECK_FALSE(cache.image(module.plan, kSmallModule, ""));
    const auto made = cache.image(module.plan, kSmallModule, "libz.so.1");
    REQUIRE(made);
    CHECK(cache.image(module.plan, "", "libz.so.1") == made);
  }
  PlanCache cache = PlanCache::open(module.directory.path);
  cache.prepare({{key_of_bytes(module.file), "", "libz.so.1"}});
  CHECK(cache.image(module.plan, "", "libz.so.1"));
  CHECK_FALSE(PlanCache::open({}).image(module.plan, kSmallModule, "libz.so.1"));
}
