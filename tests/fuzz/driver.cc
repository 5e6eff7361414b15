// fuzz-format [--mutations N] [--seed S] [--from I] [--target NAME]
//
// Runs N mutations of every target, the same ones for the same seed: a fuzz test that is repeatable, needs no clang and
// ends. It is built with the address and undefined-behaviour sanitizers, which end it at the first error; mutation I
// alone is run again by --from I --mutations 1.
#include <sanitizer/common_interface_defs.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "tests/fuzz/mutate.h"
#include "tests/fuzz/target.h"

namespace {

using namespace tmrec::fuzz;

constexpr std::array<const Target*, 7> kTargets = {&codec_target, &snapshot_note_target, &log_target, &manifest_target,
                                                   &core_target,  &pack_target,          &gdb_target};
constexpr unsigned kSecondsPerInput = 20;

struct Options {
  std::uint64_t mutations = 1000;
  std::uint64_t seed = 1;
  std::uint64_t from = 0;
  std::string target;
};

// What is being run, for the report of a failure.
const char* current_target = "";
std::uint64_t current_mutation = 0;

void report() {
  std::fprintf(stderr, "fuzz-format: failed in target %s, --from %lu\n", current_target, current_mutation);
}

// A broken promise aborts, a hang ends by SIGALRM. The process is about to die, so it may as well print.
void report_signal(int signal) {
  report();
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

bool parse(int argc, char** argv, Options& options) {
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    const char* value = argv[i + 1];
    if (name == "--target") {
      options.target = value;
      continue;
    }
    char* end = nullptr;
    const std::uint64_t number = std::strtoull(value, &end, 10);
    if (*value == '\0' || *end != '\0') return false;
    if (name == "--mutations") {
      options.mutations = number;
    } else if (name == "--seed") {
      options.seed = number;
    } else if (name == "--from") {
      options.from = number;
    } else {
      return false;
    }
  }
  return argc % 2 == 1;
}

void run(const Target& target, const Options& options) {
  current_target = target.name;
  const auto seeds = target.seeds();
  for (const tmrec::Bytes& seed : seeds) target.run(seed);
  for (std::uint64_t i = options.from; i < options.from + options.mutations; ++i) {
    current_mutation = i;
    Random random(options.seed << 32 ^ i);
    const tmrec::Bytes input = mutated(seeds, random);
    ::alarm(kSecondsPerInput);
    target.run(input);
  }
  ::alarm(0);
  std::printf("fuzz-format: %s: %lu mutations\n", target.name, options.mutations);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!parse(argc, argv, options)) {
    std::fprintf(stderr, "usage: fuzz-format [--mutations N] [--seed S] [--from I] [--target NAME]\n");
    return 2;
  }
  __sanitizer_set_death_callback(report);
  std::signal(SIGABRT, report_signal);
  std::signal(SIGALRM, report_signal);
  bool any = false;
  for (const Target* target : kTargets) {
    if (!options.target.empty() && options.target != target->name) continue;
    run(*target, options);
    any = true;
  }
  if (!any) std::fprintf(stderr, "fuzz-format: no target %s\n", options.target.c_str());
  return any ? 0 : 2;
}
