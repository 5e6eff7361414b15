#include "recorder/recorder.h"

#include <asm/prctl.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include <fmt/format.h>

#include "recorder/examine.h"
#include "recorder/launch.h"
#include "recorder/ledger.h"
#include "recorder/rescue.h"
#include "recorder/seize.h"
#include "recorder/session.h"
#include "tracee/affinity.h"
#include "tracee/agent/agent.h"

namespace tmrec::recorder {

namespace {

Manifest first_manifest(const Options& options, const sched::ChosenSource& ticks) {
  Manifest manifest;
  manifest.begin_now();
  utsname names{};
  uname(&names);
  manifest.hostname = names.nodename;
  manifest.kernel = names.release;
  manifest.cpu = current_cpu();
  if (options.attach == 0) options.baseline.limit(manifest.cpu);
  manifest.command = options.argv;
  std::error_code none;
  manifest.cwd = std::filesystem::current_path(none).string();
  manifest.uid = getuid();
  manifest.check_every = options.check_every;
  manifest.seed = options.seed;
  manifest.chaos = options.chaos;
  manifest.tick_source = options.count_ticks ? ticks.name : "none";
  manifest.agent_abi = options.count_ticks ? agent::kAbi : 0;
  auto relative = std::filesystem::relative(options.blobs, options.trace, none);
  bool beside = options.blobs == options.trace.parent_path() / "blobs" || relative == "../blobs";
  manifest.blob_root = beside ? "../blobs" : std::filesystem::absolute(options.blobs, none).string();
  return manifest;
}

// Supervisor and program talk faster on one CPU than across two, and cpuid and getcpu then always answer alike.
// Returns its number.
int share_one_cpu(pid_t program, const std::vector<int>& cpus) {
  int number = tracee::current_cpu_number();
  if (!cpus.empty() && std::ranges::find(cpus, number) == cpus.end()) number = cpus.front();
  tracee::pin_to_cpu(program, number);
  tracee::pin_to_cpu(0, number);
  return number;
}

void note_affinity(Session& session) {
  long size = syscall(SYS_sched_getaffinity, 0, sizeof session.affinity, &session.affinity);
  if (size > 0) session.affinity_bytes = static_cast<std::size_t>(size);
}

// ENODEV where it can't be.
bool cpuid_can_be_trapped() { return syscall(SYS_arch_prctl, ARCH_SET_CPUID, 1) == 0; }

// For tasks to stop, before the attempt is given up.
constexpr std::chrono::milliseconds kPatience(2000);

// Everything is written.
void finish(Session& session, const TraceDir& trace, std::chrono::steady_clock::time_point started, Report& report) {
  session.end_ring();
  report.events = session.log().last().value;
  report.keep = session.why_keep(report.ended_early);
  auto finished = session.log().finish();
  if (!finished && report.ended_early.empty()) report.ended_early = finished.error().text;

  Manifest& last = session.manifest();
  last.complete = finished.has_value();
  last.end_reason = report.ended_early;
  last.exit_status = session.exit_status() ? tracee::exit_status_of(*session.exit_status()) : 0;
  last.events = report.events;
  last.duration_ns = static_cast<std::uint64_t>((std::chrono::steady_clock::now() - started).count());
  if (auto synced = session.blobs().sync(); !synced && report.ended_early.empty()) {
    report.ended_early = synced.error().text;
  }
  if (auto synced = trace.sync(); !synced && report.ended_early.empty()) report.ended_early = synced.error().text;
  if (auto saved = last.save(trace.path()); !saved && report.ended_early.empty()) {
    report.ended_early = saved.error().text;
  }
}

Report supervise(const Options& options, const sched::ChosenSource& ticks, const TraceDir& trace, Manifest manifest,
                 pid_t program, tracee::Stopped first) {
  Report report;
  auto give_up = [&](Error error) {
    report.error = std::move(error);
    kill(program, SIGKILL);
    std::move(first).detach();
    return report;
  };
  if (auto memory = tracee::RemoteMemory::open(program); !memory)
    return give_up({ErrorKind::Machine, memory.error().text});
  auto blobs = BlobStore::create(options.blobs);
  if (!blobs) return give_up(blobs.error());
  auto log = LogWriter::create(options.trace, options.stall);
  if (!log) return give_up(log.error());
  manifest.pid = Tid(program);
  Session session(options, ticks, trace, std::move(*log), std::move(*blobs), manifest);
  note_affinity(session);
  session.manifest().cpuid_trapped = cpuid_can_be_trapped();
  if (!options.baseline.is_native() && !session.manifest().cpuid_trapped)
    session.note("this CPU can't trap cpuid: code that is not patched sees all of it, whatever --cpu-baseline says");
  session.manifest().cpu_number = share_one_cpu(program, ticks.cpus);
  if (auto saved = session.manifest().save(trace.path()); !saved) return give_up(saved.error());
  start_heartbeat();
  auto started = std::chrono::steady_clock::now();
  report.started = true;
  report.ended_early = session.run(program, std::move(first));
  report.as_asked = session.ended_as_asked();
  if (auto failure = session.await_snapshots(); !failure.empty()) report.ended_early = failure;
  finish(session, trace, started, report);
  return report;
}

// A CPU that both the supervisor and the program may use; its number.
int share_cpu_with(pid_t program) {
  cpu_set_t theirs, ours;
  int number = tracee::current_cpu_number();
  if (sched_getaffinity(program, sizeof theirs, &theirs) < 0 || sched_getaffinity(0, sizeof ours, &ours) < 0)
    return number;
  if (!CPU_ISSET(static_cast<std::size_t>(number), &theirs)) {
    for (std::size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &theirs)) number = static_cast<int>(cpu);
      if (CPU_ISSET(cpu, &theirs) && CPU_ISSET(cpu, &ours)) break;
    }
  }
  tracee::pin_to_cpu(0, number);
  return number;
}

Report supervise_attached(const Options& options, const TraceDir& trace, Manifest manifest,
                          const std::vector<pid_t>& processes) {
  Report report;
  const auto give_up = [&](Error error) {
    report.error = std::move(error);
    return report;
  };
  auto blobs = BlobStore::create(options.blobs);
  if (!blobs) return give_up(blobs.error());
  auto log = LogWriter::create(options.trace, options.stall);
  if (!log) return give_up(log.error());
  manifest.pid = Tid(options.attach);
  Session session(options, sched::ChosenSource{}, trace, std::move(*log), std::move(*blobs), manifest);
  note_affinity(session);
  session.manifest().cpuid_trapped = options.ledger->cpuid_trapped = cpuid_can_be_trapped();
  for (const pid_t process : processes) session.prepare_modules(process);
  const auto stopped_at = std::chrono::steady_clock::now();
  auto tasks = seize_and_stop(options.attach, kPatience);
  if (!tasks) return give_up(tasks.error());
  session.manifest().cpu_number = share_cpu_with(options.attach);
  start_heartbeat();
  auto started = std::chrono::steady_clock::now();
  report.started = true;
  report.ended_early = session.run_joined(*tasks, stopped_at);
  report.as_asked = session.ended_as_asked();
  if (session.exit_status()) report.status = *session.exit_status();
  if (auto failure = session.await_snapshots(); !failure.empty()) report.ended_early = failure;
  finish(session, trace, started, report);
  return report;
}

}  // namespace

Result<Outcome> record(const Options& options) {
  if (options.argv.empty()) return fail(ErrorKind::Usage, "no program given");
  sched::ChosenSource ticks;
  if (options.count_ticks && !options.use_agent) {
    TMREC_TRY(ticks, sched::choose_source(options.ticks));
  }
  TMREC_TRY(TraceDir trace, TraceDir::create(options.trace));
  TMREC_TRY(BlobStore blobs, BlobStore::create(options.blobs));
  Manifest manifest = first_manifest(options, ticks);
  TMREC_CHECKED(manifest.save(trace.path()));
  auto launched = launch(
      options.argv,
      [&](pid_t program, tracee::Stopped first) {
        return supervise(options, ticks, trace, manifest, program, std::move(first));
      },
      options.trigger);
  if (!launched || !launched->report.started) {
    std::error_code none;
    std::filesystem::remove_all(trace.path(), none);
    return std::unexpected(launched ? launched->report.error : launched.error());
  }
  Outcome outcome;
  outcome.exit_status = tracee::exit_status_of(launched->status);
  outcome.events = launched->report.events;
  outcome.ended_early = launched->report.ended_early;
  outcome.as_asked = launched->report.as_asked;
  outcome.keep = launched->report.keep;
  if (launched->supervisor_died) {
    outcome.ended_early =
        "the supervisor was killed; the program went on unrecorded, the trace replays up to its last chunk";
  }
  return outcome;
}

Result<Outcome> attach(const Options& asked) {
  TMREC_TRY(const std::vector<pid_t> processes, examine(asked.attach));
  Options options = asked;
  options.use_agent = false;  // its settings cannot be given back to a program that nobody supervises any more
  options.ledger = Ledger::make();
  if (!options.ledger) return fail(ErrorKind::System, "no memory");
  TMREC_TRY(TraceDir trace, TraceDir::create(options.trace));
  TMREC_TRY(BlobStore blobs, BlobStore::create(options.blobs));
  Manifest manifest = first_manifest(options, sched::ChosenSource{});
  TMREC_CHECKED(manifest.save(trace.path()));
  auto launched = launch_beside([&] { return supervise_attached(options, trace, manifest, processes); },
                                [&] { rescue_attached(*options.ledger); }, options.trigger);
  if (!launched || !launched->report.started) {
    std::error_code none;
    std::filesystem::remove_all(trace.path(), none);
    return std::unexpected(launched ? launched->report.error : launched.error());
  }
  Outcome outcome;
  const Report& report = launched->report;
  outcome.exit_status = report.status < 0 ? 0 : tracee::exit_status_of(report.status);
  outcome.events = report.events;
  outcome.ended_early = report.ended_early;
  outcome.as_asked = report.as_asked;
  outcome.keep = report.keep;
  if (launched->supervisor_died) outcome.ended_early = "the supervisor was killed; the program goes on unrecorded";
  return outcome;
}

}  // namespace tmrec::recorder
