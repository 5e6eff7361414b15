// tmrec info: what a trace is, where it comes from, how it ended, and what speaks against replaying it here.

#include <fmt/format.h>

#include <memory>

#include "cli/command.h"
#include "cli/json.h"
#include "cli/quantity.h"
#include "cli/say.h"
#include "cli/trace_facts.h"
#include "cli/trace_place.h"

namespace tmrec::cli {
namespace fs = std::filesystem;
namespace {

void line(std::string_view name, const std::string& value) { fmt::print("{:<12} {}\n", name, value); }

void tally_lines(std::string_view name, const std::vector<Tally>& list) {
  for (const Tally& entry : list) {
    line(name, entry.count > 1 ? fmt::format("{} ({} times)", entry.what, entry.count) : entry.what);
    name = "";
  }
}

std::string shown_end(const Manifest& manifest, const std::string& state) {
  if (!manifest.complete)
    return state == "recording" ? "still being recorded" : state + ": its tmrec was killed, or the machine stopped";
  if (!manifest.end_reason.empty()) return state + ": " + manifest.end_reason;
  return fmt::format("the program ended with status {}", manifest.exit_status);
}

void print_text(const Manifest& manifest, const fs::path& trace, const fs::path& blobs) {
  line("trace", trace.string());
  line("command", shown_command(manifest.command));
  if (!manifest.program.empty()) line("program", manifest.program);
  line("directory", manifest.cwd);
  line("recorded", fmt::format("{} on {}, Linux {}, by tmrec {}", shown_time(manifest.created), manifest.hostname,
                               manifest.kernel, manifest.tmrec_version));
  line("process", fmt::format("{} (user {})", manifest.pid.value, manifest.uid));
  line("end", shown_end(manifest, state_of(manifest, trace)));
  if (manifest.complete) line("events", fmt::format("{} in {}", manifest.events, show_duration(manifest.duration_ns)));
  line("size", fmt::format("{}; file contents in {}", show_size(size_of(trace)), blobs.string()));
  line("cpu", fmt::format("{} ({})", manifest.cpu.model, manifest.cpu.vendor));
  line("ticks", manifest.tick_source);
  line("checks", manifest.check_every == 0
                     ? "registers at every event, memory never"
                     : fmt::format("registers at every event, memory every {} events", manifest.check_every));
  tally_lines("refused", manifest.refused);
  tally_lines("noted", manifest.notes);
  const std::vector<std::string> doubts = doubts_here(manifest);
  line("replay here", doubts.empty() ? "nothing speaks against it" : doubts.front());
  for (std::size_t i = 1; i < doubts.size(); ++i) line("", doubts[i]);
}

std::string strings(const std::vector<std::string>& list) {
  JsonArray array;
  for (const std::string& text : list) array.add(text);
  return array.str();
}

std::string tallies(const std::vector<Tally>& list) {
  JsonArray array;
  for (const Tally& entry : list) array.raw(JsonObject().add("what", entry.what).add("count", entry.count).str());
  return array.str();
}

void print_json(const Manifest& manifest, const fs::path& trace, const fs::path& blobs) {
  const std::string out = JsonObject()
                              .add("trace", trace.string())
                              .raw("command", strings(manifest.command))
                              .add("program", manifest.program)
                              .add("cwd", manifest.cwd)
                              .add("created", manifest.created)
                              .add("hostname", manifest.hostname)
                              .add("kernel", manifest.kernel)
                              .add("tmrec_version", manifest.tmrec_version)
                              .add("format_version", manifest.format_version)
                              .add("pid", manifest.pid.value)
                              .add("uid", manifest.uid)
                              .add("state", state_of(manifest, trace))
                              .add("complete", manifest.complete)
                              .add("end_reason", manifest.end_reason)
                              .add("exit_status", manifest.exit_status)
                              .add("events", manifest.events)
                              .add("duration_ns", manifest.duration_ns)
                              .add("bytes", size_of(trace))
                              .add("blobs", blobs.string())
                              .add("cpu_vendor", manifest.cpu.vendor)
                              .add("cpu_model", manifest.cpu.model)
                              .add("tick_source", manifest.tick_source)
                              .add("check_every", manifest.check_every)
                              .add("seed", manifest.seed)
                              .raw("refused", tallies(manifest.refused))
                              .raw("notes", tallies(manifest.notes))
                              .raw("doubts", strings(doubts_here(manifest)))
                              .str();
  fmt::print("{}\n", out);
}

Result<> info(const std::string& name, bool json) {
  TMREC_TRY(const fs::path trace, find_trace(name));
  TMREC_TRY(const Manifest manifest, Manifest::load(trace));
  TMREC_TRY(const fs::path blobs, recorded_blob_directory(trace));
  json ? print_json(manifest, trace, blobs) : print_text(manifest, trace, blobs);
  return {};
}

}  // namespace

Action add_info(CLI::App& app) {
  struct Options {
    std::string trace;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  app.add_option("TRACE", options->trace, "A name that `tmrec ls` shows, or a directory; the newest when left out");
  app.add_flag("--json", options->json, "Print one JSON object");
  app.footer("Examples:\n  tmrec info\n  tmrec info --json redis-server-3 | jq .events");
  return [options] {
    const Result<> done = info(options->trace, options->json);
    return done ? 0 : report(done.error());
  };
}

}  // namespace tmrec::cli
