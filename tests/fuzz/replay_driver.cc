// fuzz-replay --tmrec PATH [--mutations N] [--seed S] [--from I] [--keep DIR] GUEST...
//
// Records the guests, damages the traces N times and replays every damaged one. Whatever the trace says, the replayer
// must neither crash nor hang nor leave a process behind, stay small, and say in one line what is wrong. The same seed
// gives the same damage to traces of the same guests; addresses and process ids in them differ between runs. --keep
// keeps the traces that failed.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <stdexcept>

#include "tests/fuzz/trace_damage.h"
#include "tests/fuzz/watched_run.h"
#include "tests/unit/format/samples.h"

namespace {

namespace fs = std::filesystem;
using namespace tmrec::fuzz;

constexpr std::chrono::seconds kPerReplay{120};
constexpr long kMaxResidentKb = 600 << 10;
constexpr std::uint64_t kMaxFailures = 20;

struct Options {
  std::string tmrec;
  std::uint64_t mutations = 100;
  std::uint64_t seed = 1;
  std::uint64_t from = 0;
  fs::path keep;
  std::vector<std::string> guests;
};

struct Recorded {
  std::string guest;
  int status = 0;
  Trace trace;
};

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (!word.starts_with("--")) {
      options.guests.push_back(word);
      continue;
    }
    if (++i == argc) throw std::runtime_error(word + " needs a value");
    if (word == "--tmrec")
      options.tmrec = argv[i];
    else if (word == "--keep")
      options.keep = argv[i];
    else if (word == "--mutations")
      options.mutations = std::stoull(argv[i]);
    else if (word == "--seed")
      options.seed = std::stoull(argv[i]);
    else if (word == "--from")
      options.from = std::stoull(argv[i]);
    else
      throw std::runtime_error("unknown option " + word);
  }
  if (options.tmrec.empty() || options.guests.empty()) throw std::runtime_error("--tmrec and guests are needed");
  return options;
}

// Lines of tmrec's own.
std::vector<std::string> own_lines(const std::string& errors) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < errors.size();) {
    const std::size_t end = std::min(errors.find('\n', at), errors.size());
    if (errors.compare(at, 7, "tmrec: ") == 0) lines.push_back(errors.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

// What is wrong with how a replay ended; empty: nothing.
std::string fault_of(const WatchedRun& run, const Damage& damage, int recorded_status) {
  constexpr int kBadTrace = 2, kDesync = 3;
  if (run.timed_out) return "hangs";
  if (run.signalled) return fmt::format("died of signal {}", run.status - 128);
  if (run.survivors != 0) return fmt::format("left {} processes behind", run.survivors);
  for (const char* bad : {"internal error", "AddressSanitizer", "runtime error:", "LeakSanitizer"}) {
    if (run.errors.find(bad) != std::string::npos) return std::string("says: ") + bad;
  }
#ifndef __SANITIZE_ADDRESS__
  if (run.max_resident_kb > kMaxResidentKb) return fmt::format("took {} KiB of memory", run.max_resident_kb);
#endif
  const auto lines = own_lines(run.errors);
  const bool says_desync = !lines.empty() && lines[0].starts_with("tmrec: desync at event ");
  if (run.status == kDesync && says_desync) return {};
  if (run.status == kBadTrace && lines.size() == 1 && lines[0].size() > 20) return {};
  if (run.status != recorded_status && !damage.changes_status) return fmt::format("ended with status {}", run.status);
  if (!damage.hidden && lines.empty()) return "did not notice the damage";
  return {};
}

Recorded record(const Options& options, const std::string& guest, const fs::path& place) {
  fs::create_directories(place);
  const std::string trace = (place / "trace").string();
  const auto run =
      run_watched({options.tmrec, "record", "-q", "-o", trace, "--check=20", "--", guest}, kPerReplay, place);
  if (run.timed_out || run.signalled || run.survivors != 0)
    throw std::runtime_error("cannot record " + guest + ": " + run.errors);
  Recorded recorded{guest, run.status, read_trace(trace, place / "blobs")};
  write_sound(recorded.trace, place / "copy");
  const auto replayed =
      run_watched({options.tmrec, "replay", "-a", (place / "copy/trace").string()}, kPerReplay, place);
  if (replayed.status != recorded.status) throw std::runtime_error("cannot replay " + guest + ": " + replayed.errors);
  return recorded;
}

std::string outcome_of(const WatchedRun& run) {
  if (run.status == 2) return "refused";
  if (run.status == 3) return run.errors.find("does not reach") == std::string::npos ? "desync" : "desync by patience";
  return run.errors.empty() ? "replayed" : "replayed with a warning";
}

int fuzz(const Options& options, const fs::path& scratch) {
  std::vector<Recorded> recorded;
  for (const std::string& guest : options.guests) {
    recorded.push_back(record(options, guest, scratch / fmt::format("guest-{}", recorded.size())));
  }
  std::map<std::string, std::uint64_t> outcomes;
  std::uint64_t failures = 0;
  long largest = 0;
  for (std::uint64_t i = options.from; i < options.from + options.mutations && failures < kMaxFailures; ++i) {
    Random random(options.seed << 32 ^ i);
    const Recorded& of = recorded[random.below(recorded.size())];
    const fs::path place = scratch / fmt::format("case-{}", i);
    const Damage damage = write_damaged(of.trace, place, random);
    const auto run = run_watched({options.tmrec, "replay", "-a", (place / "trace").string()}, kPerReplay, place);
    largest = std::max(largest, run.max_resident_kb);
    ++outcomes[outcome_of(run)];
    if (const std::string fault = fault_of(run, damage, of.status); !fault.empty()) {
      ++failures;
      fmt::print("fuzz-replay: --seed {} --from {}: {} with damage to {}: {}\n{}\n", options.seed, i,
                 fs::path(of.guest).filename().string(), damage.what, fault, run.errors.substr(0, 2000));
      std::fflush(stdout);
      if (!options.keep.empty()) fs::copy(place, options.keep / place.filename(), fs::copy_options::recursive);
    }
    fs::remove_all(place);
  }
  for (const auto& [outcome, count] : outcomes) fmt::print("fuzz-replay: {} {}\n", count, outcome);
  fmt::print("fuzz-replay: {} failures, at most {} KiB resident\n", failures, largest);
  return failures == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const Options options = parse(argc, argv);
    adopt_orphans();
    unsetenv("TMREC_BLOB_DIR");  // blobs beside the traces
    const tmrec::samples::TemporaryDirectory scratch;
    return fuzz(options, scratch.path());
  } catch (const std::exception& problem) {
    fmt::print(stderr, "fuzz-replay: {}\n", problem.what());
    return 2;
  }
}
