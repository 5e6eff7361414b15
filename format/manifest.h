// manifest.json: what a trace is, where it was made, and why it ended. Written when a recording starts (complete ==
// false), and again when it ends.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "format/cpu_info.h"
#include "format/event.h"
#include "format/result.h"
#include "format/types.h"

namespace tmrec {

// Moves with every change of what is in a trace that older readers would misunderstand.
inline constexpr std::uint32_t kTraceVersion = 5;  // 3: AttachEvent, 4: StartEvent, 5: GapEvent

// Something that happened `count` times.
struct Tally {
  std::string what;
  std::uint64_t count = 0;
  friend bool operator==(const Tally&, const Tally&) = default;
};

// Adds `n` to the entry of that name, or makes one.
void tally(std::vector<Tally>& list, const std::string& what, std::uint64_t n = 1);

struct Manifest {
  std::uint32_t format_version = kTraceVersion;
  std::string tmrec_version = TMREC_VERSION;
  std::int64_t created = 0;  // seconds since 1970, UTC
  // Fraction of that second; 0 in traces of tmrec 0.1.0 and before.
  std::uint32_t created_fraction_ns = 0;
  // Both, in nanoseconds since 1970.
  std::int64_t began_ns() const { return created * 1'000'000'000 + created_fraction_ns; }
  // Sets them to now.
  void begin_now();
  std::string hostname;
  std::string kernel;  // uname(2), release
  CpuInfo cpu;

  std::vector<std::string> command;  // argv of the program
  std::string program;               // the file executed, absolute
  std::string cwd;
  std::uint32_t uid = 0;
  Tid pid;  // of the first process

  std::string tick_source = "none";
  // Longest time a task has computed without a tick, looked at every 100 ms; 0: none that long.
  std::uint64_t longest_without_tick_ns = 0;
  std::uint32_t agent_abi = 0;    // 0: recorded without an agent
  std::uint64_t check_every = 0;  // memory is hashed every so many events; 0: never
  std::uint64_t seed = 0;         // of the scheduling policy
  bool chaos = false;             // it was to bring out races
  std::int32_t cpu_number = -1;   // the one the program was pinned to: cpuid and getcpu name it; -1: none
  bool cpuid_trapped = false;     // cpuid was recorded: the CPU can make it fault
  std::string blob_root;          // relative to the trace directory, or absolute

  bool complete = false;         // finish of the recording was reached; false: the supervisor was killed, or still runs
  std::string end_reason;        // empty: the program ended
  std::int32_t exit_status = 0;  // what record returned: the program's, or 128+N after signal N
  std::uint64_t events = 0;
  std::uint64_t duration_ns = 0;
  std::uint64_t first_event = 1;  // that the log has: those before were dropped by a flight recorder
  // A flight recorder's: how often it has stood still for a starting point, and the longest time, milliseconds.
  std::uint64_t starts = 0, longest_start_ms = 0;
  // Of a program that was joined: how long it has stood still to be attached to and to be let go, microseconds.
  std::uint64_t attach_us = 0, let_go_us = 0;
  std::vector<Tally> refused;  // calls answered as by a kernel without them
  std::vector<Tally> notes;    // met: rdtsc, unknown ioctls, setuid programs run without privilege

  friend bool operator==(const Manifest&, const Manifest&) = default;

  // With created, hostname, kernel, cpu and uid of here and now.
  static Manifest of_this_machine();

  // The content of the file.
  std::string json() const;
  // Replaces `<trace_dir>/manifest.json` at once and durably.
  Result<void> save(const std::filesystem::path& trace_dir) const;

  // BadTrace: no manifest ("not a tmrec trace"), unreadable or damaged, or of a newer version. The file is hostile
  // input.
  static Result<Manifest> load(const std::filesystem::path& trace_dir);
  // The content of the file; `name` is for messages.
  static Result<Manifest> parse(const std::string& json, const std::string& name);
};

}  // namespace tmrec
