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
  bool chaos = false;
  std::vector<std::string> unpatched;
  std::vector<std::string> shown;
  pid_t attach = 0;
  std::string duration, max_size, stall;
  std::string on_signal;
  std::size_t max_traces = 0;  // 0: all are kept
  bool require = false;
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
  if (!options.max_size.empty()) {
    TMREC_TRY(max_bytes, parse_size(options.max_size));
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
      .slice = options.slice,
      .unpatched = options.unpatched,
      .plan_cache = tracee::PlanCache::default_directory(),
      .on_planning = say_preparing,
      .quiet = level() < Level::Info,
      .stall = stall,
      .duration = duration,
      .max_bytes = max_bytes,
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
  if (!options.on_signal.empty()) {
    if (attaches) return fail(ErrorKind::Usage, "--on-signal is for a program that tmrec starts");
    return record_on_signal(options, name, std::move(argv));
  }
  // Asked first, though the recorder would find out: a probe can tell who forbids it, and nothing has been announced
  // yet.
  if (const std::optional<std::string> why = why_ptrace_is_refused()) return fail(ErrorKind::Machine, *why);
  TMREC_TRY(const Place place, choose_place(options, name));
  const Result<recorder::Outcome> outcome = record_to(place.trace(), options, std::move(argv));
  if (!outcome) {
    // Nothing was recorded: the name is free again.
    if (!place.base.empty()) unpoint_latest(place.base, place.name(), place.latest_before);
    return std::unexpected(outcome.error());
  }
  say_end(*outcome);
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
  app.add_option("--max-traces", options->max_traces, "With --on-signal: keep the newest N traces of this name only")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  app.add_flag("--require", options->require, "With --on-signal: don't start the program if it can't be recorded");
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
                 "Record system calls in place once a thread has made N of them (default 48)")
      ->type_name("N");
  app.footer(kExamples);
  return [options, &words] {
    const Result<int> status = record(*options, words.after);
    return status ? *status : report_before_start(status.error());
  };
}

}  // namespace tmrec::cli
