// Patched code runs: the same results, and the ticks that counting by hand expects.
#include <dlfcn.h>
#include <doctest/doctest.h>
#include <regex.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <functional>
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
};

// Runs `work` in a child whose modules are patched; empty list: unpatched.
Outcome run(const std::vector<std::string>& names, std::uint64_t slice, const PlanOptions& options,
            const std::function<std::string()>& work) {
  std::vector<LiveModule> modules;
  for (const auto& n : names) modules.push_back(prepare(n, options));
  auto* shared =
      static_cast<Outcome*>(mmap(nullptr, sizeof(Outcome), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  pid_t child = fork();
  if (child == 0) {
    alarm(60);
    shared->patched = modules.empty() || patch_this_process(modules, slice);
    if (!shared->patched) _exit(1);
    std::uint64_t before = modules.empty() ? 0 : ticks();
    std::string text = work();
    if (!modules.empty()) {
      shared->ticks = ticks() - before;
      shared->specials = specials();
      shared->confused = confused();
    }
    std::size_t size = std::min(text.size(), sizeof(shared->text) - 1);
    for (std::size_t i = 0; i < size; ++i) shared->text[i] = text[i];
    shared->finished = true;
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  INFO("status of the child: ", status);
  CHECK(shared->patched);
  CHECK(shared->finished);
  CHECK_FALSE(shared->confused);
  Outcome outcome = *shared;
  munmap(shared, sizeof(Outcome));
  return outcome;
}

std::string zlib_work() {
  std::string text;
  for (unsigned i = 0, x = 1; i < 60000; ++i, x = x * 1103515245 + 12345) text += "abcdefgh etaoin \n"[x >> 16 & 15];
  std::string result;
  for (int level : {1, 6, 9}) {
    uLongf size = compressBound(text.size());
    std::string packed(size, 0), back(text.size(), 0);
    compress2(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(text.data()), text.size(),
              level);
    uLongf length = back.size();
    uncompress(reinterpret_cast<Bytef*>(back.data()), &length, reinterpret_cast<const Bytef*>(packed.data()), size);
    result += std::to_string(size) + (back == text ? " same " : " different ") +
              std::to_string(crc32(0, reinterpret_cast<const Bytef*>(packed.data()), static_cast<uInt>(size))) + "\n";
  }
  return result;
}

std::string libc_work() {
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

std::string cxx_work() {
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

void same_results(const std::function<std::string()>& work) {
  Outcome native = run({}, 0, {}, work);
  Outcome quiet = run(kAll, kEndless, {}, work);
  CHECK(std::string(native.text) == quiet.text);
  CHECK(quiet.ticks > 100);
  // Going to the handler at each tick changes neither results nor their number.
  Outcome each = run(kAll, 1, {}, work);
  CHECK(std::string(native.text) == each.text);
  CHECK(each.ticks == quiet.ticks);
  Outcome plain = run(kAll, 3, {.copy_loops = false}, work);
  CHECK(std::string(native.text) == plain.text);
  CHECK(plain.ticks == quiet.ticks);
  MESSAGE(quiet.ticks, " ticks, ", quiet.specials, " special instructions");
}

void counts(const char* name, long n, long result, std::uint64_t expected, std::uint64_t specials = 0) {
  CAPTURE(name);
  CAPTURE(n);
  void* library = dlopen(TMREC_PATCH_LOOPS, RTLD_NOW);
  REQUIRE_MESSAGE(library, dlerror());
  void* symbol = dlsym(library, name);
  REQUIRE(symbol);
  auto function = reinterpret_cast<long (*)(long)>(symbol);

  for (bool copy : {false, true}) {
    for (std::uint64_t slice : {std::uint64_t{1}, std::uint64_t{7}, kEndless}) {
      long value = 0;
      std::uint64_t made = 0;
      auto* shared = static_cast<long*>(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
      Outcome outcome = run({TMREC_PATCH_LOOPS}, slice, {.copy_loops = copy}, [&] {
        shared[0] = function(n);
        return std::string();
      });
      value = shared[0];
      made = outcome.ticks;
      munmap(shared, 4096);
      if (result >= 0) CHECK(value == result);
      CHECK(made == expected);
      CHECK(outcome.specials == specials);
    }
  }
}

}  // namespace

TEST_CASE("ticks are those counted by hand") {
  for (long n : {1L, 2L, 10L}) {
    auto u = static_cast<std::uint64_t>(n);
    counts("sum_down", n, n * (n + 1) / 2, u - 1);
    counts("one_instruction", n, n, u - 1);
    counts("with_loop", n, n * (n + 1) / 2, u - 1);
    counts("flags_live", n, n, u);
    counts("carry", n, n, u - 1);
    counts("recurse", n, n, u);
    counts("dispatch", n, 6 * n, 3 * u);
    counts("syscalls", n, -1, u - 1, u);
  }
  counts("nested", 4, -1, (5 * 4 / 2) + 3);
}

TEST_CASE("zlib compresses as before") { same_results(zlib_work); }
TEST_CASE("libc formats, scans, sorts and matches as before") { same_results(libc_work); }
TEST_CASE("C++ containers, streams and exceptions work as before") { same_results(cxx_work); }
