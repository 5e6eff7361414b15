// tmrec ls: the traces of the base directory, oldest first.

#include <fmt/format.h>

#include <algorithm>
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

// A trace whose manifest cannot be read is listed too: it is there, takes space, and may want to be removed.
struct Row {
  fs::path trace;
  Manifest manifest;
  std::string state;
};

Result<std::vector<Row>> rows() {
  TMREC_TRY(const fs::path base, base_directory());
  TMREC_TRY(const std::vector<fs::path> traces, traces_in(base));
  std::vector<Row> all;
  for (const fs::path& trace : traces) {
    Result<Manifest> manifest = Manifest::load(trace);
    std::string state = manifest ? state_of(*manifest, trace) : "unreadable";
    all.push_back(Row{trace, manifest ? std::move(*manifest) : Manifest{}, std::move(state)});
  }
  std::ranges::stable_sort(all, {}, [](const Row& row) { return row.manifest.created; });
  return all;
}

void print_text(const std::vector<Row>& all) {
  if (all.empty()) return say(Level::Info, "no traces yet; record one with: tmrec record PROG");
  std::size_t width = 5;
  for (const Row& row : all) width = std::max(width, row.trace.filename().string().size());
  fmt::print("{:<{}}  {:<19}  {:<11}  {:>10}  {:>9}  {:>9}  {}\n", "TRACE", width, "RECORDED", "STATE", "EVENTS",
             "DURATION", "SIZE", "COMMAND");
  for (const Row& row : all) {
    const Manifest& manifest = row.manifest;
    const bool finished = manifest.complete;
    fmt::print("{:<{}}  {:<19}  {:<11}  {:>10}  {:>9}  {:>9}  {}\n", row.trace.filename().string(), width,
               manifest.created != 0 ? shown_time(manifest.created) : "?", row.state,
               finished ? std::to_string(manifest.events) : "?", finished ? show_duration(manifest.duration_ns) : "?",
               show_size(size_of(row.trace)), shown_command(manifest.command));
  }
}

void print_json(const std::vector<Row>& all) {
  JsonArray array;
  for (const Row& row : all) {
    JsonArray command;
    for (const std::string& word : row.manifest.command) command.add(word);
    array.raw(JsonObject()
                  .add("name", row.trace.filename().string())
                  .add("trace", row.trace.string())
                  .add("state", row.state)
                  .add("created", row.manifest.created)
                  .add("events", row.manifest.events)
                  .add("duration_ns", row.manifest.duration_ns)
                  .add("exit_status", row.manifest.exit_status)
                  .add("bytes", size_of(row.trace))
                  .raw("command", command.str())
                  .str());
  }
  fmt::print("{}\n", array.str());
}

}  // namespace

Action add_ls(CLI::App& app) {
  auto json = std::make_shared<bool>(false);
  app.add_flag("--json", *json, "Print one JSON array");
  app.footer("Example:\n  tmrec ls");
  return [json] {
    const Result<std::vector<Row>> all = rows();
    if (!all) return report(all.error());
    *json ? print_json(*all) : print_text(*all);
    return 0;
  };
}

}  // namespace tmrec::cli
