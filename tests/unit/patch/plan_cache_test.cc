// Plans are made once, by threads that nobody else notices. A file that is passed as {} shows that it was not needed.
#include "tracee/plan_cache.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "tests/unit/patch/cache_fixture.h"

using namespace tmrec;
using namespace tmrec::tracee;
namespace fs = std::filesystem;

namespace {

constexpr const char* kLibc = "/usr/lib/x86_64-linux-gnu/libc.so.6";
constexpr const char* kMath = "/usr/lib/x86_64-linux-gnu/libm.so.6";

std::string encoded_in(const PlanOutcome& outcome) {
  REQUIRE(outcome);
  return {(*outcome)->encoded.begin(), (*outcome)->encoded.end()};
}

std::size_t files_in(const fs::path& directory) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(directory), {}));
}

// Sets or (nullptr) removes a variable, and puts it back.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    if (const char* before = ::getenv(name)) before_ = before;
    value ? ::setenv(name, value, 1) : ::unsetenv(name);
  }
  ~Variable() { before_ ? ::setenv(name_, before_->c_str(), 1) : ::unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
  std::optional<std::string> before_;
};

std::atomic<int> alarms = 0, alarms_elsewhere = 0;
pid_t expected_thread = 0;

}  // namespace

TEST_CASE("a plan is made once and found in memory and on disk") {
  const CacheDirectory directory;
  const auto file = patch::contents(kSmallModule);
  const PlanKey key = key_of_bytes(file);
  const std::string expected = patch::make_plan(file)->encode();
  {
    PlanCache cache = PlanCache::open(directory.path);
    CHECK_FALSE(cache.find_or_make(key, {}, "libz"));  // not the module, and not remembered
    auto made = cache.find_or_make(key, file, "libz");
    CHECK(encoded_in(made) == expected);
    CHECK((*made)->plan->encode() == expected);
    CHECK((*made)->name == name_of(key));
    auto again = cache.find_or_make(key, {}, "libz");
    REQUIRE(again);
    CHECK(again->get() == made->get());
  }
  CHECK(files_in(directory.path) == 1);
  PlanCache cache = PlanCache::open(directory.path);
  auto found = cache.find_or_make(key, {}, "libz");
  CHECK(encoded_in(found) == expected);
  CHECK((*found)->plan->encode() == expected);
  CHECK((*found)->name == name_of(key));

  PlanKey other = key;
  other.options.calls = false;
  CHECK_FALSE(cache.find_or_make(other, {}, "libz"));
  CHECK(encoded_in(cache.find_or_make(other, file, "libz")) != expected);
  CHECK_FALSE(cache.find_or_make({"../../x", {}}, file, "libz"));
}

TEST_CASE("what cannot be patched is remembered as well") {
  const CacheDirectory directory;
  const std::vector<std::uint8_t> file = {'#', '!', '/', 'b', 'i', 'n', '/', 's', 'h'};
  const PlanKey key = key_of_bytes(file);
  const auto reason = patch::make_plan(file);
  REQUIRE_FALSE(reason);
  for (int pass = 0; pass < 2; ++pass) {
    PlanCache cache = PlanCache::open(directory.path);
    auto refused = cache.find_or_make(key, pass == 0 ? patch::Bytes(file) : patch::Bytes(), "script");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().text == reason.error().text);
    auto again = cache.find_or_make(key, {}, "script");
    REQUIRE_FALSE(again);
    CHECK(again.error().text == reason.error().text);
  }
}

TEST_CASE("a damaged entry is made again and replaced") {
  const CacheDirectory directory;
  const auto file = patch::contents(kSmallModule);
  const PlanKey key = key_of_bytes(file);
  const std::string expected = encoded_in(PlanCache::open(directory.path).find_or_make(key, file, "libz"));
  const fs::path path = directory.path / name_of(key);
  for (std::size_t at = 0; at <= expected.size(); at += expected.size() / 8) {
    std::string damaged = expected;
    if (at % 16 < 8 && at < damaged.size()) {
      damaged[at] ^= 0x20;
    } else {
      damaged.resize(at / 2);
    }
    std::ofstream(path, std::ios::binary | std::ios::trunc) << damaged;
    CHECK(encoded_in(PlanCache::open(directory.path).find_or_make(key, file, "libz")) == expected);
    CHECK(text_in(path) == expected);
  }
}

TEST_CASE("without a place on disk, and on a full one") {
  const CacheDirectory directory;
  const auto file = patch::contents(kSmallModule);
  const PlanKey key = key_of_bytes(file);
  {
    PlanCache memory = PlanCache::open({});
    CHECK(memory.find_or_make(key, file, "libz"));
    CHECK(memory.find_or_make(key, {}, "libz"));
  }

  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit limit = {1000, 1000};  // a write fails as on a full disk, and raises SIGXFSZ
    ::setrlimit(RLIMIT_FSIZE, &limit);
    bool good = false;
    {
      PlanCache cache = PlanCache::open(directory.path);
      good = cache.find_or_make(key, file, "libz") && cache.find_or_make(key, {}, "libz");
    }
    ::_exit(good ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  CHECK(files_in(directory.path) == 0);
}

TEST_CASE("plans that only the cache holds are dropped for want of memory") {
  const auto file = patch::contents(kSmallModule);
  const PlanKey key = key_of_bytes(file);
  PlanCache cache = PlanCache::open({}, {.disk = 0, .memory = 1});
  auto held = cache.find_or_make(key, file, "libz");
  REQUIRE(held);
  CHECK(cache.find_or_make(key, {}, "libz"));
  held->reset();
  bool dropped = false;  // once the thread that made it has let go
  for (int tries = 0; tries < 1000 && !dropped; ++tries) {
    dropped = !cache.find_or_make(key, {}, "libz");
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  CHECK(dropped);
  CHECK(cache.find_or_make(key, file, "libz"));
}

TEST_CASE("threads and processes that want the same at once") {
  const CacheDirectory directory;
  const auto small = patch::contents(kSmallModule), math = patch::contents(kMath);
  const std::string expected_small = patch::make_plan(small)->encode(),
                    expected_math = patch::make_plan(math)->encode();
  auto everything_is_right = [&] {
    PlanCache cache = PlanCache::open(directory.path);
    std::atomic<int> wrong = 0;
    std::vector<std::thread> threads;
    for (int n = 0; n < 4; ++n) {
      threads.emplace_back([&, n] {
        const bool first = n % 2 == 0;
        auto found = cache.find_or_make(key_of_bytes(first ? small : math), first ? small : math, "module");
        const std::string& expected = first ? expected_small : expected_math;
        if (!found ||
            !std::ranges::equal((*found)->encoded,
                                patch::Bytes(reinterpret_cast<const std::uint8_t*>(expected.data()), expected.size())))
          ++wrong;
      });
    }
    for (std::thread& thread : threads) thread.join();
    return wrong == 0;
  };
  std::vector<pid_t> children;
  for (int n = 0; n < 3; ++n) {
    children.push_back(::fork());
    if (children.back() == 0) ::_exit(everything_is_right() ? 0 : 1);
  }
  CHECK(everything_is_right());
  for (pid_t child : children) {
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
  }
  CHECK(files_in(directory.path) == 2);
}

TEST_CASE("what is prepared needs no file later") {
  const CacheDirectory directory;
  const PlanKey small = key_of(kSmallModule), math = key_of(kMath);
  const PlanKey wrong = key_of(kSmallModule, {.traps = true}), missing = key_of(kSmallModule, {.calls = false});
  PlanCache cache = PlanCache::open(directory.path);
  cache.prepare(
      {{small, kSmallModule}, {wrong, kMath}, {missing, "/nonexistent"}, {math, kMath}, {small, kSmallModule}});
  const PlanStore store = PlanStore::open(directory.path, 1 << 30);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while ((!store.holds(small) || !store.holds(math)) && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  CHECK(cache.find_or_make(small, {}, "libz"));
  CHECK(cache.find_or_make(math, {}, "libm"));
  CHECK_FALSE(cache.find_or_make(wrong, {}, "libz"));

  const auto file = patch::contents(kSmallModule);
  cache.prepare({{wrong, kMath}, {missing, "/nonexistent"}});
  CHECK(cache.find_or_make(wrong, file, "libz"));  // waits for the attempt, or comes before it
  CHECK(cache.find_or_make(missing, file, "libz"));
}

TEST_CASE("what is still queued when the cache goes is not waited for") {
  const CacheDirectory directory;
  std::vector<PlanCache::Module> modules;
  for (std::size_t reach = 0; reach < patch::kReaches; ++reach) {
    for (bool calls : {false, true}) {
      modules.push_back({key_of(kLibc, {.reach = static_cast<patch::Reach>(reach), .calls = calls}), kLibc});
    }
  }
  {
    PlanCache::open(directory.path).prepare(modules);
  }
  CHECK(files_in(directory.path) < modules.size());
}

TEST_CASE("waiting for a second in all is told once, and no signal goes to the planning threads") {
  expected_thread = ::gettid();
  struct sigaction action{}, before{};
  action.sa_handler = [](int) { ::gettid() == expected_thread ? ++alarms : ++alarms_elsewhere; };
  action.sa_flags = SA_RESTART;
  REQUIRE(::sigaction(SIGALRM, &action, &before) == 0);
  const itimerval interval = {{0, 2000}, {0, 2000}};
  REQUIRE(::setitimer(ITIMER_REAL, &interval, nullptr) == 0);

  PlanCache cache = PlanCache::open({});
  std::vector<std::string> told;
  cache.set_on_wait([&](const std::string& module) { told.push_back(module); });
  const auto file = patch::contents(kLibc);
  const auto begin = std::chrono::steady_clock::now();
  auto waited = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(); };
  double told_after = 0;
  for (std::size_t n = 0; n < 4 * patch::kReaches && waited() < 1.5; ++n) {
    const patch::PlanOptions options = {.reach = static_cast<patch::Reach>(n % patch::kReaches),
                                        .calls = n < 2 * patch::kReaches,
                                        .copy_loops = n / patch::kReaches % 2 == 0};
    CHECK(cache.find_or_make(key_of_bytes(file, options), file, "libc-" + std::to_string(n)));
    if (!told.empty() && told_after == 0) told_after = waited();
  }
  const itimerval off = {};
  REQUIRE(::setitimer(ITIMER_REAL, &off, nullptr) == 0);
  REQUIRE(::sigaction(SIGALRM, &before, nullptr) == 0);
  if (waited() > 1.4) {
    CHECK(told.size() == 1);
    CHECK(told_after >= 0.99);
  }
  CHECK(alarms > 0);
  CHECK(alarms_elsewhere == 0);
}

TEST_CASE("where the cache lies by default") {
  const Variable home("HOME", "/home/somebody");
  {
    const Variable own("TMREC_CACHE_DIR", "/var/plans"), xdg("XDG_CACHE_HOME", "/xdg");
    CHECK(PlanCache::default_directory() == "/var/plans");
  }
  const Variable own("TMREC_CACHE_DIR", "");
  {
    const Variable xdg("XDG_CACHE_HOME", "/xdg");
    CHECK(PlanCache::default_directory() == "/xdg/tmrec");
  }
  {
    const Variable xdg("XDG_CACHE_HOME", "relative");
    CHECK(PlanCache::default_directory() == "/home/somebody/.cache/tmrec");
  }
  const Variable xdg("XDG_CACHE_HOME", nullptr), homeless("HOME", nullptr);
  CHECK(PlanCache::default_directory().empty());
}
