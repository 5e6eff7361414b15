// tmrec replay: execute a trace again: under a debugger, or by itself, and say whether it was the same run.

#include "replayer/debugger.h"
#include "replayer/replayer.h"

#include <fmt/format.h>

#include <cstdlib>
#include <memory>

#include "cli/command.h"
#include "cli/machine_needs.h"
#include "cli/open_trace.h"
#include "cli/probe.h"
#include "cli/program.h"
#include "cli/say.h"
#include "format/manifest.h"

namespace tmrec::cli {
namespace {

struct ReplayOptions {
  TraceChoice trace;
  bool autonomous = false;
  bool verify = false;
  std::string listen;
  bool keep_listening = false;
  std::string gdb = "gdb";
  std::int32_t process = 0;
  std::uint64_t event = 0;
  bool at_end = false;
};

constexpr const char* kExamples = R"(Examples:
  tmrec replay                    the newest recording, in gdb
  tmrec replay --at-end           the same, where it crashed or was about to exit
  tmrec replay redis-2 -- -ex bt  gdb gets what follows --; -ex and -x may stand before it, too
  tmrec replay --listen 1234      for `target remote localhost:1234` of any gdb on this machine
  tmrec replay -a python3-4       that one; its output again, and its exit status
  tmrec replay bug.tmrec          a pack that somebody sent; --identity FILE if it is encrypted
  tmrec replay --verify ./trace   nothing printed; status 0, 2 (unreadable) or 3 (desync))";

void say_desync(const replayer::Desync& desync) {
  say(Level::Error, fmt::format("desync at event {}, task {}: {}", desync.event.value, desync.task.value, desync.what));
  say(Level::Error, desync.context);
}

// What speaks against replaying it here comes before it starts.
Result<OpenTrace> open_to_replay(const ReplayOptions& options, Level level) {
  if (const std::optional<std::string> why = why_proc_is_useless()) return fail(ErrorKind::Machine, *why);
  TMREC_TRY(OpenTrace open, open_trace(options.trace));
  TMREC_TRY(const Manifest manifest, Manifest::load(open.trace));
  for (const std::string& doubt : doubts_here(manifest)) say(level, doubt);
  return open;
}

replayer::DebugOptions debug_options(const ReplayOptions& options, const OpenTrace& open) {
  replayer::DebugOptions debug{.trace = open.trace, .blobs = open.blobs, .start = {}};
  if (options.process != 0) debug.start.process = Tid(options.process);
  debug.start.event = EventNo(options.event);
  debug.start.at_end = options.at_end;
  return debug;
}

Result<int> debug(const ReplayOptions& options, const std::vector<std::string>& arguments) {
  TMREC_TRY(const OpenTrace open, open_to_replay(options, Level::Warning));
  const replayer::DebugOptions debug = debug_options(options, open);
  if (options.listen.empty()) {
    if (!find_program(options.gdb, std::getenv("PATH"))) {
      return fail(ErrorKind::Machine,
                  fmt::format("there is no {} here: replay -a needs none, and --listen serves one that "
                              "runs elsewhere",
                              options.gdb));
    }
    TMREC_CHECKED(replayer::become_debugger(debug, options.gdb, arguments));
    return 0;
  }
  std::string bound;
  TMREC_TRY(const Fd listening, replayer::listen_on(options.listen, bound));
  TMREC_CHECKED(replayer::serve_debuggers(debug, listening.get(), options.keep_listening, [&] {
    say(Level::Info, fmt::format("serving {} to a debugger: target remote {}", open.trace.filename().string(), bound));
  }));
  return 0;
}

Result<int> replay(const ReplayOptions& options) {
  const Level level = options.verify ? Level::Debug : Level::Warning;
  TMREC_TRY(const OpenTrace open, open_to_replay(options, level));
  Progress progress("replaying event");
  const Result<replayer::Outcome> outcome = replayer::replay({
      .trace = open.trace,
      .blobs = open.blobs,
      .echo = !options.verify,
      .progress = [&](EventNo now, EventNo last) { progress.update(now.value, last.value); },
  });
  if (!outcome) return std::unexpected(outcome.error());
  if (outcome->desync) {
    say_desync(*outcome->desync);
    return exit_status(ErrorKind::Desync);
  }
  if (!outcome->ended_early.empty()) {
    say(level, fmt::format("the recording ends early: {}", outcome->ended_early));
  } else if (!outcome->complete) {
    say(level, fmt::format("the recording breaks off after event {}", outcome->events));
  }
  say(Level::Debug, fmt::format("replayed {} events", outcome->events));
  return options.verify ? 0 : outcome->exit_status;
}

}  // namespace

Action add_replay(CLI::App& app, const Words& words) {
  auto options = std::make_shared<ReplayOptions>();
  add_trace_choice(app, options->trace);
  app.add_flag("-a,--autonomous", options->autonomous,
               "No debugger: run to the end, repeat the program's output and return its exit status");
  app.add_flag("--verify", options->verify, "Print nothing; return 0, 2 (unreadable trace) or 3 (desync)");
  app.add_option("--listen", options->listen,
                 "Serve a debugger that connects there; without HOST only from this machine, port 0: any free one")
      ->type_name("[HOST:]PORT");
  app.add_flag("--keep-listening", options->keep_listening, "With --listen: serve another one when a debugger has gone")
      ->needs("--listen");
  app.add_option("--gdb", options->gdb, "The gdb to start")->type_name("PATH");
  app.add_option("-p,--process", options->process, "Which process to debug (default: the first)")->type_name("PID");
  auto* event = app.add_option("--goto", options->event, "Begin behind this event")->type_name("EVENT");
  app.add_flag("--at-end", options->at_end, "Begin at the fatal signal, or where the process exits")->excludes(event);
  app.footer(kExamples);
  return [options, &words] {
    const bool by_itself = options->autonomous || options->verify;
    const Result<int> status = by_itself ? replay(*options) : debug(*options, words.after);
    return status ? *status : report(status.error());
  };
}

}  // namespace tmrec::cli
