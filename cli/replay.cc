// tmrec replay: execute a trace again and say whether it was the same run.

#include "replayer/replayer.h"

#include <fmt/format.h>

#include <memory>

#include "cli/command.h"
#include "cli/say.h"
#include "cli/trace_place.h"
#include "format/trace_dir.h"

namespace tmrec::cli {
namespace {

struct ReplayOptions {
  std::string trace;
  bool autonomous = false;
  bool verify = false;
};

constexpr const char* kExamples = R"(Examples:
  tmrec replay                    the newest recording
  tmrec replay -a python3-4       that one; its output again, and its exit status
  tmrec replay --verify ./trace   nothing printed; status 0, 2 (unreadable) or 3 (desync))";

void say_desync(const replayer::Desync& desync) {
  say(Level::Error, fmt::format("desync at event {}, task {}: {}", desync.event.value, desync.task.value, desync.what));
  say(Level::Error, desync.context);
}

Result<int> replay(const ReplayOptions& options) {
  TMREC_TRY(const std::filesystem::path trace, find_trace(options.trace));
  TMREC_TRY(const std::filesystem::path blobs, recorded_blob_directory(trace));
  Progress progress("replaying event");
  const Result<replayer::Outcome> outcome = replayer::replay({
      .trace = trace,
      .blobs = blobs,
      .echo = !options.verify,
      .progress = [&](EventNo now, EventNo last) { progress.update(now.value, last.value); },
  });
  if (!outcome) return std::unexpected(outcome.error());
  if (outcome->desync) {
    say_desync(*outcome->desync);
    return exit_status(ErrorKind::Desync);
  }
  const Level level = options.verify ? Level::Debug : Level::Warning;
  if (!outcome->ended_early.empty()) {
    say(level, fmt::format("the recording ends early: {}", outcome->ended_early));
  } else if (!outcome->complete) {
    say(level, fmt::format("the recording breaks off after event {}", outcome->events));
  }
  say(Level::Debug, fmt::format("replayed {} events", outcome->events));
  return options.verify ? 0 : outcome->exit_status;
}

}  // namespace

Action add_replay(CLI::App& app) {
  auto options = std::make_shared<ReplayOptions>();
  app.add_option("TRACE", options->trace, "A name that `tmrec ls` shows, or a directory; the newest when left out");
  app.add_flag("-a,--autonomous", options->autonomous,
               "Run to the end: repeat the program's output and return its exit status (the default)");
  app.add_flag("--verify", options->verify, "Print nothing; return 0, 2 (unreadable trace) or 3 (desync)");
  app.footer(kExamples);
  return [options] {
    const Result<int> status = replay(*options);
    return status ? *status : report(status.error());
  };
}

}  // namespace tmrec::cli
