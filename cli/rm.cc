// tmrec rm: remove traces, then the blobs that nothing refers to any more.

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <set>

#include "cli/blob_use.h"
#include "cli/command.h"
#include "cli/quantity.h"
#include "cli/removal.h"
#include "cli/say.h"
#include "cli/trace_facts.h"
#include "cli/trace_place.h"
#include "format/trace_dir.h"

namespace tmrec::cli {
namespace fs = std::filesystem;
namespace {

// Everything is checked before anything is removed, so that a mistyped name removes nothing.
Result<std::set<fs::path>> traces_to_remove(const std::vector<std::string>& names) {
  std::set<fs::path> traces;
  for (const std::string& name : names) {
    TMREC_TRY(const fs::path trace, find_trace(name));
    TMREC_CHECKED(TraceDir::open(trace));  // rm removes nothing but traces
    if (being_recorded(trace)) {
      return fail(ErrorKind::Usage, fmt::format("{} is being recorded; end the program first", trace.string()));
    }
    traces.insert(trace);
  }
  return traces;
}

// The manifest goes first: what an interrupted rm leaves behind does not look like a trace.
Result<> remove_trace(const fs::path& trace) {
  std::error_code error;
  fs::remove(trace / "manifest.json", error);
  if (!error) fs::remove_all(trace, error);
  if (error) return fail(ErrorKind::System, fmt::format("cannot remove {}: {}", trace.string(), error.message()));
  return {};
}

// Points a `latest` whose trace is gone to the newest that is left.
Result<> repair_latest(const fs::path& base) {
  std::error_code error;
  const fs::path latest = base / "latest";
  if (!fs::is_symlink(latest, error) || fs::exists(latest, error)) return {};
  TMREC_TRY(const std::vector<fs::path> left, traces_in(base));
  std::string newest;
  std::int64_t created = 0;
  for (const fs::path& trace : left) {
    const Result<Manifest> manifest = Manifest::load(trace);
    if (!manifest || manifest->created < created) continue;
    created = manifest->created;
    newest = trace.filename().string();
  }
  if (!newest.empty()) {
    TMREC_CHECKED(point_latest(base, newest));
  } else {
    fs::remove(latest, error);
  }
  return {};
}

}  // namespace

Result<> remove_traces(const std::vector<std::string>& names) {
  TMREC_TRY(const std::set<fs::path> traces, traces_to_remove(names));
  std::set<fs::path> stores, bases;
  for (const fs::path& trace : traces) {
    const Result<fs::path> store = recorded_blob_directory(trace);
    stores.insert(store ? *store : blob_directory(trace));
    bases.insert(trace.parent_path());
  }
  Progress progress("removing trace");
  std::uint64_t done = 0;
  for (const fs::path& trace : traces) {
    progress.update(++done, traces.size());
    TMREC_CHECKED(remove_trace(trace));
  }
  for (const fs::path& base : bases) TMREC_CHECKED(repair_latest(base));
  for (const fs::path& store : stores) {
    TMREC_TRY(const Collected collected, collect(store));
    if (!collected.kept_because.empty()) {
      say(Level::Warning, collected.kept_because);
    } else if (collected.blobs > 0) {
      say(Level::Info, fmt::format("removed {} unused blobs ({})", collected.blobs, show_size(collected.bytes)));
    }
  }
  return {};
}

Action add_rm(CLI::App& app) {
  auto names = std::make_shared<std::vector<std::string>>();
  app.add_option("TRACE", *names, "Names that `tmrec ls` shows, or directories")->required();
  app.footer(
      "A blob (a file's content) goes only when no trace refers to it any more.\nExample:\n  tmrec rm ls-1 ls-2");
  return [names] {
    const Result<> done = remove_traces(*names);
    return done ? 0 : report(done.error());
  };
}

}  // namespace tmrec::cli
