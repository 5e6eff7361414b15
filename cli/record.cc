// tmrec record: choose the place, look at the program, hand over to the recorder, say what came of it.

#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <random>

#include "cli/blob_use.h"
#include "cli/command.h"
#include "cli/probe.h"
#include "cli/program.h"
#include "cli/quantity.h"
#include "cli/removal.h"
#include "cli/say.h"
#include "cli/signal_word.h"
#include "cli/trace_place.h"
#include "format/manifest.h"
#include "recorder/on_signal.h"
#include "recorder/recorder.h"
#include "tracee/plan_cache.h"

namespace tmrec::cli {
namespace fs = std::filesystem;
namespace {

struct RecordOptions {
  std::string output;  // empty: a numbered trace in the base directory
  std::string name;
  std::uint64_t check = 10'000;
  std::uint64_t seed = 0;
  std::uint64_t slice = 250'000;
  bool no_ticks = false;
  std::string ticks = "auto";
  bool agent = true;
  std::uint32_t agent_after = recorder::Options{}.agent_after;
  std::uint64_t agent_room = recorder::Options{}.agent_room;
  int probe_agent = 0;
  bool chaos = false;
  std::vector<std::string> unpatched;
  std::vector<std::string> shown;
  pid_t attach = 0;
  std::string cpu_baseline = "native";
  std::string duration, max_size, stall;
  std::string on_signal;
  std::size_t max_traces = 0;  // 0: all are kept
  bool require = false;
  std::string ring, max_memory;
  std::uint64_t starting_points = 0;
  bool on_crash = false, on_exit_failure = false;
  bool keeps_by_reason() const { return !ring.empty() || on_crash || on_exit_failure; }
};

constexpr const char* kExamples =
    R"(Options end at the first word that is not one; "--" is needed only before a PROG that starts with "-".
Examples:
  tmrec record ls -l /
  tmrec record -p 4711 --for 30s
  tmrec record -o /var/crash/service -- ./service --port 8080
  tmrec record --name nightly --check 1000 ./test-suite)";

// The trace's place, kept from others until the recording ends. `base` is empty for a place the user named.
struct Place {
  Reservation reservation;
  fs::path base;
  std::optional<std::string> latest_before;

  const fs::path& trace() const { return reservation.trace(); }
  std::string name() const { return trace().filename().string(); }
};

Result<Place> choose_place(const RecordOptions& options, const std::string& program) {
  if (!options.output.empty()) {
    std::error_code error;
    fs::path trace = fs::absolute(options.output, error).lexically_normal();
    if (error) return fail(ErrorKind::Usage, fmt::format("{}: {}", options.output, error.message()));
    if (!trace.has_filename()) trace = trace.parent_path();  // "dir/" is "dir"
    TMREC_TRY(Reservation reservation, reserve_at(trace));
    return Place{std::move(reservation), {}, std::nullopt};
  }
  TMREC_TRY(const fs::path base, base_directory());
  TMREC_TRY(Reservation reservation, reserve(base, options.name.empty() ? trace_stem(program) : options.name));
  Place place{std::move(reservation), base, std::nullopt};
  TMREC_TRY(place.latest_before, point_latest(base, place.name()));
  return place;
}

// What the kernel is asked to execute: execvp(3) hands a text file without "#!" to /bin/sh.
Result<std::vector<std::string>> command_to_run(const std::vector<std::string>& words) {
  TMREC_TRY(const fs::path program, find_program(words.front(), std::getenv("PATH")));
  TMREC_TRY(const ProgramKind kind, check_program(program));
  if (kind != ProgramKind::Text) return words;
  std::vector<std::string> argv{"/bin/sh", program.string()};
  argv.insert(argv.end(), words.begin() + 1, words.end());
  return argv;
}

// Short, to be typed again.
std::uint64_t some_seed() { return 1 + std::random_device()() % 1'000'000; }

void say_preparing(const std::string& module) {
  const std::string name = fs::path(module).filename();
  say(Level::Info, fmt::format("preparing {} for recording, the first time only", name));
}

void say_joined() { say(Level::Info, "attached; Ctrl-C ends the recording and lets the program go"); }

// The oldest of a base directory that are called STEM-N, but for `keep` of them.
void drop_oldest(const fs::path& base, const std::string& stem, std::size_t keep) {
  const Result<std::vector<fs::path>> all = traces_in(base);
  if (!all) return;
  std::vector<std::pair<long, fs::path>> numbered;
  for (const fs::path& trace : *all) {
    const std::string name = trace.filename().string();
    if (!name.starts_with(stem + "-") || being_recorded(trace)) continue;
    const std::string number = name.substr(stem.size() + 1);
    if (!number.empty() && number.find_first_not_of("0123456789") == std::string::npos) {
      numbered.emplace_back(std::stol(number), trace);
    }
  }
  std::ranges::sort(numbered);
  for (std::size_t i = 0; i + keep < numbered.size(); ++i) {
    if (const Result<> removed = remove_traces({numbered[i].second.string()}); !removed) report(removed.error());
  }
}

constexpr std::uint64_t kLeastMemory = std::uint64_t{64} << 20;
constexpr std::uint64_t kLeastRing = std::uint64_t{16} << 20;
constexpr auto kLeastWindow = std::chrono::seconds(1);

// "60s" or "512M": m are minutes, M is mebibytes. --max-size bounds the former.
Result<recorder::WindowSize> window_of(const RecordOptions& options) {
  recorder::WindowSize window;
  window.events = options.starting_points;
  const char unit = options.ring.empty() ? 0 : options.ring.back();
  const auto time = unit >= 'a' && unit <= 'z' ? parse_duration(options.ring) : fail(ErrorKind::Usage, "");
  if (time) {
    window.time = std::chrono::nanoseconds(*time);
    if (window.time < kLeastWindow) return fail(ErrorKind::Usage, "--ring: at least 1s");
    if (!options.max_size.empty()) {
      TMREC_TRY(window.bytes, parse_size(options.max_size));
    }
  } else if (const auto bytes = parse_size(options.ring)) {
    window.bytes = *bytes;
    if (!options.max_size.empty()) return fail(ErrorKind::Usage, "--max-size: the size is that of --ring already");
  } else {
    return fail(ErrorKind::Usage, fmt::format("--ring: {} is neither a time (60s) nor a size (512M)", options.ring));
  }
  if (window.bytes != 0 && window.bytes < kLeastRing) return fail(ErrorKind::Usage, "--ring: at least 16M");
  return window;
}

// Makes what a flight recorder has kept a trace of its own.
Result<void> save_ring(const fs::path& base, const std::string& stem, const RecordOptions& options,
                       const recorder::RingOptions::Fill& fill) {
  const Result<void> saved = [&]() -> Result<void> {
    TMREC_TRY(const Reservation reservation, reserve(base, stem));
    TMREC_TRY(const Fd store, register_trace(blob_directory(reservation.trace()), reservation.trace()));
    TMREC_CHECKED(fill(reservation.trace()));
    TMREC_CHECKED(point_latest(base, reservation.trace().filename().string()));
    TMREC_TRY(const Manifest manifest, Manifest::load(reservation.trace()));
    say(Level::Info, fmt::format("{}: {}", reservation.trace().string(), manifest.end_reason));
    return {};
  }();
  if (!saved) report(saved.error());
  if (options.max_traces != 0) drop_oldest(base, stem, options.max_traces);
  return saved;
}

Result<recorder::Outcome> record_to(const fs::path& trace, const RecordOptions& options, std::vector<std::string> argv,
                                    std::function<void()> on_joined = say_joined) {
  const fs::path blobs = blob_directory(trace);
  TMREC_TRY(const Fd store, register_trace(blobs, trace));
  std::optional<std::chrono::nanoseconds> duration;
  std::uint64_t max_bytes = 0;
  if (!options.duration.empty()) {
    TMREC_TRY(const std::uint64_t ns, parse_duration(options.duration));
    duration = std::chrono::nanoseconds(ns);
  }
  if (!options.max_size.empty() && options.ring.empty()) {
    TMREC_TRY(max_bytes, parse_size(options.max_size));
  }
  std::uint64_t max_memory = 0;
  if (!options.max_memory.empty()) {
    TMREC_TRY(max_memory, parse_size(options.max_memory));
    if (max_memory < kLeastMemory) return fail(ErrorKind::Usage, "--max-memory: tmrec needs at least 64M");
  }
  std::optional<recorder::RingOptions> ring;
  int trigger = 0;
  if (!options.ring.empty()) {
    ring.emplace();
    TMREC_TRY(ring->window, window_of(options));
    const std::string name = trace.filename().string();
    ring->save = [&options, base = trace.parent_path(), stem = name.substr(0, name.rfind('-'))](const auto& fill) {
      return save_ring(base, stem, options, fill);
    };
    if (!options.on_signal.empty()) {
      TMREC_TRY(trigger, parse_signal(options.on_signal));
    }
  }
  std::chrono::nanoseconds stall = LogWriter::kStall;
  if (!options.stall.empty()) {
    TMREC_TRY(const std::uint64_t ns, parse_duration(options.stall));
    stall = std::chrono::nanoseconds(ns);
  }
  say(Level::Info, fmt::format("recording to {}", trace.string()));
  const recorder::Options wanted{
      .argv = std::move(argv),
      .trace = trace,
      .blobs = blobs,
      .check_every = options.check,
      .seed = options.chaos && options.seed == 0 ? some_seed() : options.seed,
      .chaos = options.chaos,
      .count_ticks = !options.no_ticks,
      .ticks = *sched::tick_choice(options.ticks),
      // A hardware counter would count the agent's own branches.
      .use_agent = !options.no_ticks && options.agent && (options.ticks == "auto" || options.ticks == "software"),
      .agent_after = options.agent_after,
      .agent_room = options.agent_room,
      .probe_agent = options.probe_agent,
      .slice = options.slice,
      .unpatched = options.unpatched,
      .plan_cache = tracee::PlanCache::default_directory(),
      .on_planning = say_preparing,
      .quiet = level() < Level::Info,
      .baseline = *recorder::CpuBaseline::named(options.cpu_baseline),
      .stall = stall,
      .duration = duration,
      .max_bytes = max_bytes,
      .ring = std::move(ring),
      .on_crash = options.on_crash,
      .on_failure = options.on_exit_failure,
      .trigger = trigger,
      .max_memory = max_memory,
      .attach = options.attach,
      .on_joined = std::move(on_joined),
  };
  return options.attach != 0 ? recorder::attach(wanted) : recorder::record(wanted);
}

// What fails before the program runs is the user's fault or the machine's (tmrec(1), EXIT STATUS): no other status may
// be mistaken for the program's.
int report_before_start(Error error) {
  if (error.kind == ErrorKind::System) error.kind = ErrorKind::Machine;
  return report(error);
}

Result<std::string> name_of_process(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/comm", pid));
  std::string name;
  if (std::getline(file, name)) return name;
  return fail(ErrorKind::Usage, fmt::format("there is no process {}", pid));
}

void say_end(const recorder::Outcome& outcome) {
  if (outcome.as_asked) {
    say(Level::Info, fmt::format("the recording ended: {}", outcome.ended_early));
  } else if (!outcome.ended_early.empty()) {
    say(Level::Warning, fmt::format("the recording ended before the program did: {}", outcome.ended_early));
  }
  say(Level::Debug, fmt::format("recorded {} events", outcome.events));
}

// One recording of a service that waits for its signal; in a process of its own.
int record_triggered(const RecordOptions& options, const fs::path& base, const std::string& stem, pid_t service,
                     const std::function<void()>& joined) {
  const Result<int> status = [&]() -> Result<int> {
    TMREC_TRY(const Reservation reservation, reserve(base, stem));
    RecordOptions attached = options;
    attached.attach = service;
    TMREC_TRY(const recorder::Outcome outcome, record_to(reservation.trace(), attached, {}, [&] {
                say_joined();
                joined();
              }));
    TMREC_CHECKED(point_latest(base, reservation.trace().filename().string()));
    say_end(outcome);
    return 0;
  }();
  if (!status) return report_before_start(status.error());
  if (options.max_traces != 0) drop_oldest(base, stem, options.max_traces);
  return 0;
}

Result<int> record_on_signal(const RecordOptions& options, const std::string& program, std::vector<std::string> argv) {
  TMREC_TRY(const int signal, parse_signal(options.on_signal));
  TMREC_TRY(const fs::path base,
            options.output.empty() ? base_directory() : Result<fs::path>(fs::absolute(options.output)));
  if (const std::optional<std::string> why = why_ptrace_is_refused()) {
    if (options.require) return fail(ErrorKind::Machine, *why);
    say(Level::Warning, fmt::format("the program starts, but will not be recorded: {}", *why));
  }
  const std::string stem = options.name.empty() ? trace_stem(program) : options.name;
  const auto triggered = [&](pid_t service, const std::function<void()>& joined) {
    return record_triggered(options, base, stem, service, joined);
  };
  return recorder::serve({.argv = std::move(argv), .trigger = signal, .record = triggered});
}

// Nobody will want this trace.
Result<int> drop(Place place, const recorder::Outcome& outcome) {
  const fs::path trace = place.trace(), base = place.base;
  if (!base.empty()) unpoint_latest(base, place.name(), place.latest_before);
  { const Place given_back = std::move(place); }
  if (const Result<> removed = remove_traces({trace.string()}); !removed) report(removed.error());
  say(Level::Debug, fmt::format("not kept: {}", trace.string()));
  return outcome.exit_status;
}

Result<Place> choose_ring_place(const RecordOptions& options, const std::string& program) {
  TMREC_TRY(const fs::path base,
            options.output.empty() ? base_directory() : Result<fs::path>(fs::absolute(options.output)));
  TMREC_TRY(Reservation reservation, reserve(base, options.name.empty() ? trace_stem(program) : options.name));
  return Place{std::move(reservation), {}, std::nullopt};
}

Result<void> check_ring(const RecordOptions& options) {
  const bool by_reason = options.on_crash || options.on_exit_failure;
  if (options.ring.empty()) {
    if (by_reason && !options.on_signal.empty())
      return fail(ErrorKind::Usage, "--on-crash and --on-exit-failure with --on-signal: only with --ring");
    return {};
  }
  if (!by_reason && options.on_signal.empty() && options.attach == 0)
    return fail(ErrorKind::Usage, "--ring: save it when? --on-signal SIGNAL, --on-crash or --on-exit-failure");
  if (!options.duration.empty()) return fail(ErrorKind::Usage, "--for: not with --ring, which says how much is kept");
  TMREC_CHECKED(window_of(options));
  return {};
}

Result<> check_baseline(const RecordOptions& options) {
  if (options.cpu_baseline == "native") return {};
  const bool runs_before = options.attach != 0 || (!options.on_signal.empty() && options.ring.empty());
  if (runs_before)
    return fail(ErrorKind::Usage, "--cpu-baseline: not with -p and --on-signal, where the program has chosen already");
  if (options.no_ticks)
    return fail(ErrorKind::Usage, "--cpu-baseline: not with --no-ticks, which leaves cpuid to the CPU");
  return {};
}

Result<int> record(const RecordOptions& options, const std::vector<std::string>& words) {
  const bool attaches = options.attach != 0;
  if (attaches && !words.empty()) return fail(ErrorKind::Usage, "record -p PID, or a program: not both");
  if (!attaches && words.empty()) return fail(ErrorKind::Usage, "record what? tmrec record [options] -- PROG ARGS");
  if (const std::optional<std::string> why = why_proc_is_useless()) return fail(ErrorKind::Machine, *why);
  std::vector<std::string> argv;
  std::string name;
  if (attaches) {
    TMREC_TRY(name, name_of_process(options.attach));
  } else {
    name = words.front();
    TMREC_TRY(argv, command_to_run(words));
  }
  TMREC_CHECKED(check_ring(options));
  TMREC_CHECKED(check_baseline(options));
  const bool rings = !options.ring.empty();
  if (!options.on_signal.empty() && !rings) {
    if (attaches) return fail(ErrorKind::Usage, "--on-signal is for a program that tmrec starts");
    return record_on_signal(options, name, std::move(argv));
  }
  // Asked first, though the recorder would find out: a probe can tell who forbids it, and nothing has been announced
  // yet.
  if (const std::optional<std::string> why = why_ptrace_is_refused()) {
    if (!rings || options.require || attaches) return fail(ErrorKind::Machine, *why);
    say(Level::Warning, fmt::format("the program starts, but is not recorded: {}", *why));
    return recorder::serve({.argv = std::move(argv), .trigger = 0, .record = {}});
  }
  TMREC_TRY(Place place, rings ? choose_ring_place(options, name) : choose_place(options, name));
  const Result<recorder::Outcome> outcome = record_to(place.trace(), options, std::move(argv));
  if (!outcome) {
    // Nothing was recorded: the name is free again.
    if (!place.base.empty()) unpoint_latest(place.base, place.name(), place.latest_before);
    return std::unexpected(outcome.error());
  }
  say_end(*outcome);
  if (!options.keeps_by_reason()) return outcome->exit_status;
  const bool ended = outcome->ended_early.empty() || outcome->as_asked;
  if (outcome->keep.empty() && ended) return drop(std::move(place), *outcome);
  if (rings) {
    TMREC_CHECKED(point_latest(place.trace().parent_path(), place.name()));
    if (options.max_traces != 0) {
      const std::string known = place.name();
      drop_oldest(place.trace().parent_path(), known.substr(0, known.rfind('-')), options.max_traces);
    }
  }
  const std::string& why = outcome->keep.empty() ? outcome->ended_early : outcome->keep;
  say(Level::Info, fmt::format("{}: kept, {}", place.trace().string(), why));
  return outcome->exit_status;
}

}  // namespace

Action add_record(CLI::App& app, const Words& words) {
  auto options = std::make_shared<RecordOptions>();
  // Only for the help text: main has cut these words off before CLI11 sees them.
  app.add_option("PROG", options->shown, "The program, looked up in PATH, and its arguments");
  CLI::Option* const output = app.add_option(
      "-o,--output", options->output, "Write the trace to DIR, which must not exist; its blobs go to DIR/../blobs");
  output->type_name("DIR");
  CLI::Option* const name = app.add_option("--name", options->name, "Call the trace NAME-N instead of PROG-N");
  name->type_name("NAME")->excludes(output)->check([](const std::string& text) {
    return trace_stem(text) == text ? "" : "use letters, digits and . _ + - only, 64 at most, not starting with . or -";
  });
  app.add_option(
         "-p,--pid", options->attach,
         "Record a program that runs already, with its threads and children; Ctrl-C ends the recording, and the "
         "program goes on")
      ->type_name("PID")
      ->check(CLI::PositiveNumber);
  app.add_option(
         "--on-signal", options->on_signal,
         "Start the program untraced, at full speed; record it when SIGNAL reaches tmrec (tmrec trigger), for as "
         "long as --for and --max-size say, again at the next. DIR of -o then holds numbered traces")
      ->type_name("SIGNAL");
  app.add_option("--ring", options->ring,
                 "Keep the last 60s or 512M of the recording only, and save them at the signal of --on-signal, at a "
                 "crash or failure; then go on. DIR of -o then holds numbered traces")
      ->type_name("TIME|SIZE");
  app.add_flag("--on-crash", options->on_crash,
               "Keep the trace, or save the ring, only when a process dies of a fault, an abort or SIGKILL");
  app.add_flag("--on-exit-failure", options->on_exit_failure,
               "Keep the trace, or save the ring, only when the program ends with another status than 0");
  app.add_option("--starting-points", options->starting_points,
                 "With --ring: take a starting point for replay at least every N events")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  app.add_option("--max-memory", options->max_memory,
                 "End the recording when tmrec itself needs more than so many bytes (256M); the program goes on")
      ->type_name("SIZE");
  app.add_option("--max-traces", options->max_traces,
                 "With --on-signal or --ring: keep the newest N traces of this name only")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  app.add_flag("--require", options->require,
               "With --on-signal or --ring: don't start the program if it can't be recorded");
  app.add_option("--for", options->duration, "End the recording after so long (30s, 5m); the program goes on")
      ->type_name("TIME");
  app.add_option("--max-size", options->max_size, "End the recording when the trace has about so many bytes (512M, 1G)")
      ->type_name("SIZE");
  app.add_option("--stall", options->stall,
                 "How long in a row a disk that is too slow may hold the program up before the recording ends "
                 "(default 2s); the program goes on")
      ->type_name("TIME");
  app.add_option("--check", options->check,
                 "Hash memory every N events, for replay to compare; 0: never (default 10000)")
      ->type_name("N")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--seed", options->seed, "Seed of the scheduling policy (default 0)")
      ->type_name("N")
      ->check(CLI::NonNegativeNumber);
  app.add_flag(
      "--chaos", options->chaos,
      "Schedule to bring out races: hold tasks back, cut slices short. Repeatable by the --seed that tmrec info "
      "shows, as far as the program gets the same input");
  app.add_option("--slice", options->slice, "Ticks a task may compute while others wait (default 250000)")
      ->type_name("N")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 40));
  app.add_option("--no-patch", options->unpatched,
                 "Leave the code of MODULE (file name or path) as it is; may be repeated")
      ->type_name("MODULE");
  app.add_option("--cpu-baseline", options->cpu_baseline,
                 "Show the program a CPU that has no more than native (default; without transactions), x86-64-v2, "
                 "x86-64-v3, haswell, skylake or zen2, so that the trace replays on such a one")
      ->type_name("CPU")
      ->check([](const std::string& name) {
        return recorder::CpuBaseline::named(name) ? std::string() : "use one of " + recorder::CpuBaseline::names();
      });
  CLI::Option* no_ticks = app.add_flag("--no-ticks", options->no_ticks,
                                       "Leave all code as it is: a task can then only be stopped at system calls");
  app.add_option(
         "--ticks", options->ticks,
         "What counts them: software (patched code), pmu (a hardware counter: computing then costs nothing, but every "
         "system call stops), or auto (default): software, with --no-agent pmu where tmrec doctor finds one that works")
      ->type_name("SOURCE")
      ->check([](const std::string& text) { return sched::tick_choice(text) ? "" : "use auto, software or pmu"; })
      ->excludes(no_ticks);
  app.add_flag("!--no-agent", options->agent,
               "Stop at every system call, instead of recording most of them in place (servers: tens of times slower)");
  app.add_option("--agent-after", options->agent_after,
                 "Record system calls in place once a program has made N of them (default 0)")
      ->type_name("N");
  app.add_option("--probe-agent", options->probe_agent)->check(CLI::Range(1, 64))->group("");  // for tests
  constexpr std::uint64_t kLeastRoom = 8192;
  app.add_option("--agent-room", options->agent_room)->check(CLI::Range(kLeastRoom, ~std::uint64_t{0}))->group("");
  app.footer(kExamples);
  return [options, &words] {
    const Result<int> status = record(*options, words.after);
    return status ? *status : report_before_start(status.error());
  };
}

}  // namespace tmrec::cli
