// A recording session: launches a program, follows its whole tree of threads and processes through ptrace stops, and
// writes one trace.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "format/log.h"
#include "format/result.h"
#include "recorder/cpu_baseline.h"
#include "recorder/window.h"
#include "sched/tick_sources.h"

namespace tmrec::recorder {

// A flight recorder keeps the last of a run only, and saves it when somebody wants it or something has gone wrong.
struct RingOptions {
  WindowSize window;
  // Chooses a place and has the trace made there by the function it is given; called in a thread of the supervisor.
  using Fill = std::function<Result<void>(const std::filesystem::path& trace)>;
  std::function<Result<void>(const Fill&)> save;
};

struct Options {
  std::vector<std::string> argv;       // program and arguments; the program is looked up in PATH as a shell would
  std::filesystem::path trace;         // directory to create; must not exist
  std::filesystem::path blobs;         // blob store; created when missing
  std::uint64_t check_every = 10'000;  // hash memory every so many events; 0: never
  std::uint64_t seed = 0;              // of the scheduling policy
  bool chaos = false;                  // schedule to bring out races; wants a seed other than 0
  bool count_ticks = true;             // patch the program's code, so that it can be stopped anywhere
  sched::TickChoice ticks = sched::TickChoice::Auto;  // what counts them; the agent's calls need software
  bool use_agent = true;                              // let code inside the program perform system calls
  // of a task that has made so many, since to set that up costs as much as some stops
  std::uint32_t agent_after = 0;
  std::uint64_t agent_room = ~0ull;  // for tests: bytes for what the agent records between stops, at least 8192
  int probe_agent = 0;               // for tests: this signal is sent at every instruction of the agent (agent_probe.h)
  std::uint64_t slice = 250'000;     // ticks a task may compute before others have a turn; at least 1
  std::vector<std::string> unpatched;  // file names of modules to leave alone
  std::filesystem::path plan_cache;    // where plans for patching are kept; empty: nowhere
  // Called once, when the program has waited for a second for code to be prepared; `module` is a path. May not throw.
  std::function<void(const std::string& module)> on_planning = {};
  bool quiet = false;
  CpuBaseline baseline = {};                           // what the program sees of the CPU; not of one that runs already
  std::chrono::nanoseconds stall = LogWriter::kStall;  // how long in a row a slow disk may hold the program up
  std::optional<std::chrono::nanoseconds> duration = {};  // after which the recording ends
  std::uint64_t max_bytes = 0;                            // size of the trace at which it ends, about; 0: none
  std::optional<RingOptions> ring = {};
  // The recording is worth keeping when any process crashes, or the first ends with another status than 0.
  bool on_crash = false, on_failure = false;
  int trigger = 0;               // signal to the front, at which the ring is saved; 0: none
  std::uint64_t max_memory = 0;  // of the supervisor, bytes; the recording ends when it needs more; 0: no limit
  // A running process to record, with its threads, its children and theirs; argv is empty.
  pid_t attach = 0;
  // Called in the supervisor once the program is being recorded. May not throw.
  std::function<void()> on_joined = {};
  std::shared_ptr<class Ledger> ledger = {};  // the recorder's own
};

struct Outcome {
  int exit_status = 0;  // what record itself must exit with: the program's, or 128+N after signal N
  std::uint64_t events = 0;
  std::string ended_early;  // not empty: why the recording stopped before the program did
  bool as_asked = false;    // it did because of its limits, or was told to
  std::string keep;         // not empty: why the trace is worth keeping, as far as Options asks for a reason
};

// Runs the program to its end (or to the end of the recording, and then on, unrecorded). Errors are failures before the
// program's first instruction; kinds NotFound, NotExecutable, Machine, Usage, System.
Result<Outcome> record(const Options& options);

// The same for a running program (Options::attach), until it ends or the recording is to: SIGINT, SIGTERM and SIGHUP
// end it, too. The program then goes on as if nothing had been. exit_status: of the program if it has ended, else 0.
// Errors leave the program as it was: Usage, Machine, System.
Result<Outcome> attach(const Options& options);

}  // namespace tmrec::recorder
