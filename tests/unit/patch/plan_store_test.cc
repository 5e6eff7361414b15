// Plans on disk: what is damaged, foreign or in the way counts as missing, and the directory stays within its size.
#include "tracee/plan_store.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xxhash.h>

#include <fstream>
#include <set>

#include "tests/unit/patch/cache_fixture.h"
#include "tests/unit/patch/modules.h"

using namespace tmrec;
using namespace tmrec::tracee;
namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kPlenty = std::uint64_t{1} << 30;

PlanOutcome outcome_of(const std::string& path) {
  auto plan = patch::make_plan(patch::contents(path));
  REQUIRE(plan);
  auto encoded = std::make_shared<const std::string>(plan->encode());
  return std::make_shared<const EncodedPlan>(
      EncodedPlan{std::make_shared<const patch::Plan>(std::move(*plan)),
                  {reinterpret_cast<const std::uint8_t*>(encoded->data()), encoded->size()},
                  encoded});
}

PlanOutcome refusal(std::size_t length) { return fail(ErrorKind::System, std::string(length, 'x')); }

PlanKey numbered(int n) { return {std::string(31, '0') + static_cast<char>('0' + n), {}}; }

void age(const fs::path& path, std::int64_t seconds) {
  timespec times[2] = {};
  times[0].tv_sec = times[1].tv_sec = ::time(nullptr) - seconds;
  REQUIRE(::utimensat(AT_FDCWD, path.c_str(), times, 0) == 0);
}

// As damage does, whatever the mode.
void overwrite(const fs::path& path, std::string_view bytes) {
  ::chmod(path.c_str(), 0600);
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

}  // namespace

TEST_CASE("every option has a name of its own") {
  const std::string content(32, 'a');
  std::set<std::string> names = {name_of({content, {}})};
  auto add = [&](auto member, auto value) {
    patch::PlanOptions options;
    options.*member = value;
    CHECK(names.insert(name_of({content, options})).second);
  };
  add(&patch::PlanOptions::reach, patch::Reach::Above);
  add(&patch::PlanOptions::ticks, false);
  add(&patch::PlanOptions::calls, false);
  add(&patch::PlanOptions::traps, true);
  add(&patch::PlanOptions::copy_loops, false);
  add(&patch::PlanOptions::syscalls, false);
  add(&patch::PlanOptions::specials, false);
  CHECK(names.insert(name_of({std::string(32, 'b'), {}})).second);
  for (const std::string& name : names) {
    CHECK(name.find("-v" + std::to_string(patch::kPatcherVersion) + ".plan") != std::string::npos);
  }
}

TEST_CASE("a damaged entry is no entry") {
  const CacheDirectory directory;
  const PlanStore store = PlanStore::open(directory.path, kPlenty);
  const PlanKey plan_key = key_of(kSmallModule), refusal_key = numbered(1);
  store.put(plan_key, outcome_of(kSmallModule));
  store.put(refusal_key, refusal(40));

  for (const PlanKey& key : {plan_key, refusal_key}) {
    const fs::path path = directory.path / name_of(key);
    const std::string whole = text_in(path);
    REQUIRE(store.find(key));
    int taken = 0;
    const std::size_t step = whole.size() > 1000 ? 211 : 1;
    for (std::size_t at = 0; at < whole.size(); at += at < 256 ? 1 : step) {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << (at % 8)));
      overwrite(path, damaged);
      taken += store.find(key).has_value();
      overwrite(path, std::string_view(whole).substr(0, at));
      taken += store.find(key).has_value();
    }
    overwrite(path, whole + "more");
    taken += store.find(key).has_value();
    overwrite(path, std::string(whole.size(), '\0'));
    taken += store.find(key).has_value();
    CHECK(taken == 0);
    overwrite(path, whole);
    CHECK(store.find(key));
  }
}

TEST_CASE("an entry of another module, or that others can write to, is not taken") {
  const CacheDirectory directory;
  const PlanStore store = PlanStore::open(directory.path, kPlenty);
  const PlanKey key = key_of(kSmallModule);
  store.put(key, outcome_of(kSmallModule));
  const fs::path path = directory.path / name_of(key);
  REQUIRE(store.find(key));
  struct stat st{};
  REQUIRE(::stat(path.c_str(), &st) == 0);
  CHECK((st.st_mode & 0777) == 0400);

  PlanKey other = key;
  other.options.traps = true;
  fs::copy_file(path, directory.path / name_of(other));
  CHECK_FALSE(store.find(other));
  store.put(numbered(1), refusal(40));
  fs::copy_file(directory.path / name_of(numbered(1)), directory.path / name_of(numbered(2)));
  CHECK_FALSE(store.find(numbered(2)));

  ::chmod(path.c_str(), 0620);
  CHECK_FALSE(store.find(key));
  ::chmod(path.c_str(), 0400);
  if (::geteuid() == 0) {
    REQUIRE(::chown(path.c_str(), 65534, 65534) == 0);
    CHECK_FALSE(store.find(key));
    REQUIRE(::chown(path.c_str(), 0, 0) == 0);
  }
  CHECK(store.find(key));

  fs::rename(path, directory.path / "elsewhere");
  fs::create_symlink("elsewhere", path);
  CHECK_FALSE(store.find(key));
  fs::remove(path);
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  CHECK_FALSE(store.find(key));
  store.put(key, outcome_of(kSmallModule));
  CHECK(store.find(key));
}

TEST_CASE("a directory is used only if nobody else could have written there") {
  const CacheDirectory directory;
  auto usable = [](const fs::path& path) { return PlanStore::open(path, kPlenty).usable(); };
  CHECK_FALSE(usable({}));
  const fs::path made = directory.path / "a" / "b";
  CHECK(usable(made));
  struct stat st{};
  REQUIRE(::stat(made.c_str(), &st) == 0);
  CHECK((st.st_mode & 0777) == 0700);
  for (mode_t mode : {0770, 0702, 0777, 01777}) {
    REQUIRE(::chmod(made.c_str(), mode) == 0);
    CHECK_FALSE(usable(made));
  }
  REQUIRE(::chmod(made.c_str(), 0755) == 0);
  CHECK(usable(made));
  overwrite(directory.path / "file", "");
  CHECK_FALSE(usable(directory.path / "file"));
  CHECK_FALSE(usable(directory.path / "file" / "below"));
  CHECK_FALSE(usable("/proc/self/tmrec"));
  if (::geteuid() != 0) return;
  REQUIRE(::chown(made.c_str(), 65534, 65534) == 0);
  CHECK_FALSE(usable(made));
  CHECK_FALSE(usable(made / "below"));
  CHECK_FALSE(fs::exists(made / "below"));
}

TEST_CASE("the entries used least recently make room") {
  const CacheDirectory directory;
  const PlanStore unlimited = PlanStore::open(directory.path, kPlenty);
  auto path = [&](int n) { return directory.path / name_of(numbered(n)); };
  for (int n = 1; n <= 3; ++n) {
    unlimited.put(numbered(n), refusal(1000));
    age(path(n), 1000 - n);
  }
  REQUIRE(unlimited.find(numbered(1)));  // used now
  for (const char* name : {".1-2-3.plan.tmp", ".4-5-6.plan.tmp", "notes", ".hidden"})
    overwrite(directory.path / name, "abc");
  age(directory.path / ".1-2-3.plan.tmp", 3700);
  age(directory.path / "notes", 100'000);

  const PlanStore store = PlanStore::open(directory.path, fs::file_size(path(1)) * 3);
  store.put(numbered(4), refusal(1000));
  CHECK(fs::exists(path(1)));
  CHECK_FALSE(fs::exists(path(2)));
  CHECK(fs::exists(path(3)));
  CHECK(fs::exists(path(4)));
  CHECK_FALSE(fs::exists(directory.path / ".1-2-3.plan.tmp"));
  CHECK(fs::exists(directory.path / ".4-5-6.plan.tmp"));
  CHECK(fs::exists(directory.path / "notes"));
  CHECK(fs::exists(directory.path / ".hidden"));

  store.put(numbered(5), refusal(5000));  // would fit nowhere
  CHECK_FALSE(fs::exists(path(5)));
  CHECK(fs::exists(path(3)));
}

TEST_CASE("processes that write one entry at once") {
  const CacheDirectory directory;
  const PlanStore store = PlanStore::open(directory.path, kPlenty);
  const PlanKey key = key_of(kSmallModule);
  const PlanOutcome outcome = outcome_of(kSmallModule);
  store.put(key, outcome);
  std::vector<pid_t> writers;
  for (int n = 0; n < 4; ++n) {
    writers.push_back(::fork());
    if (writers.back() != 0) continue;
    for (int i = 0; i < 50; ++i) store.put(key, outcome);
    ::_exit(0);
  }
  int missing = 0, finds = 0;
  for (pid_t writer : writers) {
    int status = 0;
    while (::waitpid(writer, &status, WNOHANG) == 0) {
      auto found = store.find(key);
      ++finds;
      missing += !found || !*found || !std::ranges::equal((**found)->encoded, (*outcome)->encoded);
    }
    CHECK(status == 0);
  }
  CHECK(finds > 0);
  CHECK(missing == 0);
  CHECK(std::distance(fs::directory_iterator(directory.path), {}) == 1);
}
