// Patched code runs: the same results, and the ticks that counting by hand expects.
#include <dlfcn.h>
#include <doctest/doctest.h>
#include <regex.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <regex>
#include <sstream>

#include "tests/unit/patch/live_module.h"

using namespace tmrec;
using namespace tmrec::patch;

namespace {

struct Outcome {
  char text[16384];
  std::uint64_t ticks, specials;
  bool patched, confused, finished;
  int status;
};

std::vector<LiveModule> prepare_all(const std::vector<std::string>& names, const PlanOptions& options) {
  std::vector<LiveModule> modules;
  for (const auto& n : names) modules.push_back(prepare(n, options));
  return modules;
}

// Runs `work` in a child whose modules are patched; an empty list: unpatched. Leaves this process's heap as it is, so
// that children can be compared.
void run(Outcome& outcome, std::vector<LiveModule>& modules, std::uint64_t slice, std::string (*work)(long),
         long argument) {
  pid_t child = fork();
  if (child == 0) {
    alarm(60);
    outcome.patched = modules.empty() || patch_this_process(modules, slice);
    if (!outcome.patched) _exit(1);
    std::uint64_t before = modules.empty() ? 0 : ticks();
    std::string text = work(argument);
    if (!modules.empty()) {
      outcome.ticks = ticks() - before;
      outcome.specials = specials();
      outcome.confused = confused();
    }
    std::size_t size = std::min(text.size(), sizeof(outcome.text) - 1);
    for (std::size_t i = 0; i < size; ++i) outcome.text[i] = text[i];
    outcome.finished = true;
    _exit(0);
  }
  waitpid(child, &outcome.status, 0);
}

struct Outcomes {
  Outcome* at = static_cast<Outcome*>(
      mmap(nullptr, 8 * sizeof(Outcome), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  ~Outcomes() { munmap(at, 8 * sizeof(Outcome)); }
  Outcome& operator[](std::size_t i) const { return at[i]; }
};

void check(const Outcome& outcome) {
  CHECK(outcome.status == 0);
  CHECK(outcome.patched);
  CHECK(outcome.finished);
  CHECK_FALSE(outcome.confused);
}

// zlib.h of 1.2, without needing it at build time.
struct Zlib {
  void* library = dlopen("libz.so.1", RTLD_NOW);
  template <class F>
  F* function(const char* name) const {
    return reinterpret_cast<F*>(dlsym(library, name));
  }
};
const Zlib kZlib;

std::string zlib_work(long) {
  using Code = unsigned char;
  auto compress2 = kZlib.function<int(Code*, unsigned long*, const Code*, unsigned long, int)>("compress2");
  auto uncompress = kZlib.function<int(Code*, unsigned long*, const Code*, unsigned long)>("uncompress");
  auto crc32 = kZlib.function<unsigned long(unsigned long, const Code*, unsigned)>("crc32");
  std::string text;
  for (unsigned i = 0, x = 1; i < 60000; ++i, x = x * 1103515245 + 12345) text += "abcdefgh etaoin \n"[x >> 16 & 15];
  std::string result;
  for (int level : {1, 6, 9}) {
    unsigned long size = 2 * text.size(), length = text.size();
    std::string packed(size, 0), back(length, 0);
    auto* bytes = reinterpret_cast<Code*>(packed.data());
    compress2(bytes, &size, reinterpret_cast<const Code*>(text.data()), text.size(), level);
    uncompress(reinterpret_cast<Code*>(back.data()), &length, bytes, size);
    result += std::to_string(size) + (back == text ? " same " : " different ") +
              std::to_string(crc32(0, bytes, static_cast<unsigned>(size))) + "\n";
  }
  return result;
}

std::string libc_work(long) {
  std::string out;
  char line[512];
  std::vector<int> numbers(5000);
  unsigned x = 1;
  for (int& n : numbers) n = static_cast<int>(x = x * 1103515245 + 12345);
  qsort(numbers.data(), numbers.size(), sizeof(int), [](const void* a, const void* b) {
    int l = *static_cast<const int*>(a), r = *static_cast<const int*>(b);
    return (l > r) - (l < r);
  });
  snprintf(line, sizeof(line), "%d %x %-20s|%08.3f|%g|%e|%a|%c|%5.2s|%lld|%#o|%p\n", numbers[17], 48879u, "left",
           3.14159, 1e100, -2.5e-7, 1.0, 'c', "cut", 1234567890123ll, 8u, reinterpret_cast<void*>(0x1234));
  out += line;
  int a = 0;
  double d = 0;
  char word[32] = {};
  int matched = sscanf("  42 word 2.75e3 rest", "%d %31s %lf", &a, word, &d);
  snprintf(line, sizeof(line), "%d %d %s %f %ld %lu\n", matched, a, word, d, strtol("-0x7fff", nullptr, 0),
           strtoul("777", nullptr, 8));
  out += line;
  regex_t expression;
  regcomp(&expression, "^([a-z]+)[0-9]{2,4}(x|y)*$", REG_EXTENDED);
  regmatch_t groups[3];
  out += std::to_string(regexec(&expression, "hello123xyxy", 3, groups, 0)) + std::to_string(groups[1].rm_eo);
  regfree(&expression);
  std::string hay(20000, 'a');
  hay += "needle";
  out += std::to_string(strstr(hay.c_str(), "needle") - hay.c_str()) + " " + std::to_string(strlen(hay.c_str())) + "\n";
  static jmp_buf buffer;
  volatile int rounds = 0;
  if (setjmp(buffer) < 5) {
    rounds = rounds + 1;
    longjmp(buffer, rounds);
  }
  out += std::to_string(rounds) + "\n";
  if (FILE* f = fopen("/proc/self/comm", "r")) {
    if (fgets(line, sizeof(line), f)) out += line;
    fclose(f);
  }
  struct tm when = {};
  when.tm_year = 120, when.tm_mday = 3;
  strftime(line, sizeof(line), "%A %d %B %Y %j", &when);
  return out + line + std::to_string(getppid() > 0) + "\n";
}

std::string cxx_work(long) {
  std::ostringstream out;
  std::map<std::string, int> words;
  for (int i = 0; i < 500; ++i) words["key" + std::to_string(i * 7919 % 1000)] += i;
  for (auto& [k, v] : words) out << k << '=' << v << (v % 2 ? ' ' : '\n');
  for (int i = 0; i < 20; ++i) {
    try {
      if (i % 3 == 0) throw std::runtime_error("thrown " + std::to_string(i));
      out << std::stoi(i % 3 == 1 ? "no number" : "12") << ' ';
    } catch (const std::exception& e) {
      out << e.what() << ' ';
    }
  }
  out << std::regex_replace("the quick brown fox", std::regex("([aeiou])"), "<$1>") << '\n';
  out.precision(12);
  for (int i = 1; i < 50; ++i) out << std::sin(i) + std::pow(i, 1.7) + std::log(i) << ' ';
  return out.str();
}

const std::vector<std::string> kAll = {"libz.so", "libm.so", "libstdc++.so", "libgcc_s.so", "libc.so"};
constexpr std::uint64_t kEndless = std::uint64_t{1} << 60;

void same_results(std::string (*work)(long)) {
  std::vector<LiveModule> none, copied = prepare_all(kAll, {}), plain = prepare_all(kAll, {.copy_loops = false});
  Outcomes outcomes;
  run(outcomes[0], none, 0, work, 0);
  run(outcomes[1], copied, kEndless, work, 0);
  run(outcomes[2], copied, 1, work, 0);
  run(outcomes[3], plain, 3, work, 0);
  for (int i = 0; i < 4; ++i) {
    CAPTURE(i);
    check(outcomes[static_cast<std::size_t>(i)]);
    CHECK(std::string(outcomes[0].text) == outcomes[static_cast<std::size_t>(i)].text);
  }
  // Going to the handler at each tick doesn't change their number.
  CHECK(outcomes[1].ticks > 100);
  CHECK(outcomes[2].ticks == outcomes[1].ticks);
  MESSAGE(outcomes[1].ticks, " ticks (", outcomes[3].ticks, " without copied loops), ", outcomes[1].specials,
          " special instructions");
}

long (*counted)(long);
std::string counted_work(long n) { return std::to_string(counted(n)); }

// Without and with copied loops.
struct Expected {
  std::uint64_t plain, copied;
  Expected(std::uint64_t ticks) : plain(ticks), copied(ticks) {}
  Expected(std::uint64_t p, std::uint64_t c) : plain(p), copied(c) {}
};
// A loop that comes round so often; the copy holds so many rounds.
Expected rounds(std::uint64_t often, std::uint64_t copied) {
  return {often, often == 0 ? 0 : 1 + (often - 1) / copied};
}

void counts(const char* name, long n, long result, const Expected& expected, std::uint64_t specials = 0) {
  CAPTURE(name);
  CAPTURE(n);
  void* library = dlopen(TMREC_PATCH_LOOPS, RTLD_NOW);
  REQUIRE_MESSAGE(library, dlerror());
  void* symbol = dlsym(library, name);
  REQUIRE(symbol);
  counted = reinterpret_cast<long (*)(long)>(symbol);
  for (bool copy : {false, true}) {
    auto modules = prepare_all({TMREC_PATCH_LOOPS}, {.copy_loops = copy});
    for (std::uint64_t slice : {std::uint64_t{1}, std::uint64_t{7}, kEndless}) {
      Outcomes outcomes;
      run(outcomes[0], modules, slice, counted_work, n);
      check(outcomes[0]);
      if (result >= 0) CHECK(std::string(outcomes[0].text) == std::to_string(result));
      CHECK(outcomes[0].ticks == (copy ? expected.copied : expected.plain));
      CHECK(outcomes[0].specials == specials);
    }
  }
}

}  // namespace

TEST_CASE("ticks are those counted by hand") {
  for (long n : {1L, 2L, 9L, 10L, 40L}) {
    auto u = static_cast<std::uint64_t>(n);
    counts("sum_down", n, n * (n + 1) / 2, rounds(u - 1, 8));
    counts("one_instruction", n, n, rounds(u - 1, 8));
    counts("with_loop", n, n * (n + 1) / 2, u - 1);
    counts("flags_live", n, n, u);
    counts("carry", n, n, rounds(u - 1, 8));
    counts("recurse", n, n, u);
    counts("by_pointer", n, n, u);
    counts("behind_call", n, n, u);
    counts("even", n, n, u / 2);
    counts("way_out", n, n, u - 1);
    counts("backward_only", n, n + 2, 0);
    counts("dispatch", n, 6 * n, 3 * u);
    counts("guarded", n, n, u);
    counts("calls_in_loop", n, n, u);
    counts("often_there", n, n, u - 1);
    counts("syscalls", n, -1, u - 1, u);
  }
  counts("nested", 4, -1, {(5 * 4 / 2) + 3, 4 + 3});
}

TEST_CASE("zlib compresses as before") {
  REQUIRE(kZlib.library);
  same_results(zlib_work);
}
TEST_CASE("libc formats, scans, sorts and matches as before") { same_results(libc_work); }
TEST_CASE("C++ containers, streams and exceptions work as before") { same_results(cxx_work); }
