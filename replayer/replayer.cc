#include "replayer/replayer.h"

#include <sched.h>

#include <algorithm>

#include <fmt/format.h>

#include "format/manifest.h"
#include "replayer/patience.h"
#include "replayer/session.h"
#include "sched/tick_sources.h"
#include "tracee/affinity.h"
#include "tracee/agent/agent.h"
#include "tracee/broken.h"
#include "tracee/stop.h"

namespace tmrec::replayer {

namespace {

constexpr std::uint64_t kEventsPerProgress = 1000;

// Replayer and stubs talk faster on one CPU than across two. The recorded one if there is such a CPU here: the cpuid
// instruction tells its number. Restored when the replay is over.
class OneCpu {
 public:
  // `possible`: none: any.
  OneCpu(int recorded, const std::vector<int>& possible) {
    sched_getaffinity(0, sizeof before_, &before_);
    const auto may = [&](int cpu) { return possible.empty() || std::ranges::find(possible, cpu) != possible.end(); };
    if (may(recorded) && tracee::pin_to_cpu(0, recorded)) return;
    const int here = tracee::current_cpu_number();
    tracee::pin_to_cpu(0, may(here) ? here : possible.front());
  }
  ~OneCpu() { sched_setaffinity(0, sizeof before_, &before_); }
  OneCpu(const OneCpu&) = delete;
  OneCpu& operator=(const OneCpu&) = delete;

 private:
  cpu_set_t before_;
};

}  // namespace

Result<Outcome> replay(const Options& options) {
  TMREC_TRY(TraceDir trace, TraceDir::open(options.trace));
  TMREC_TRY(Manifest manifest, Manifest::load(options.trace));
  TMREC_TRY(LogReader log, LogReader::open(options.trace));
  if (manifest.agent_abi != 0 && manifest.agent_abi != agent::kAbi) {
    return fail(
        ErrorKind::BadTrace,
        fmt::format(
            "{}: recorded with agent {}, and this tmrec has agent {}: replay it with the tmrec that recorded it",
            options.trace.string(), manifest.agent_abi, agent::kAbi));
  }
  TMREC_TRY(const sched::ChosenSource ticks, sched::source_named(manifest.tick_source));
  auto blobs = options.blobs.empty() ? trace.blob_root(manifest.blob_root) : options.blobs;
  OneCpu pinned(manifest.cpu_number, ticks.cpus);
  Heartbeat heartbeat;
  Session session(std::move(trace), BlobStore::open(blobs), std::move(log), options.echo, manifest.cpuid_trapped);
  session.count_with(ticks.source);
  Outcome outcome;
  for (;;) {
    Result<bool> stepped = false;
    try {
      stepped = session.step();
    } catch (const BrokenInvariant& broken) {
      stepped = fail(ErrorKind::System, std::string("internal error: ") + broken.what());
    }
    if (!stepped) {
      if (stepped.error().kind != ErrorKind::Desync) return std::unexpected(stepped.error());
      outcome.desync = session.report(stepped.error());
      break;
    }
    if (!*stepped) break;
    if (options.progress && session.position().value % kEventsPerProgress == 0) {
      options.progress(session.position(), EventNo(manifest.events));
    }
  }
  outcome.events = session.position().value;
  outcome.complete = session.ended() && session.end_reason().empty();
  outcome.ended_early = session.end_reason();
  if (!session.ended()) outcome.ended_early = "the recording was cut off; everything up to there was replayed";
  if (manifest.complete) {
    outcome.exit_status = manifest.exit_status;
  } else if (session.exit_status()) {
    outcome.exit_status = tracee::exit_status_of(*session.exit_status());
  }
  return outcome;
}

}  // namespace tmrec::replayer
