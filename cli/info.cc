// tmrec info: what a trace is, where it comes from, how it ended, and what speaks against replaying it here.

#include <fmt/format.h>

#include <memory>

#include "cli/code_facts.h"
#include "cli/command.h"
#include "cli/json.h"
#include "cli/machine_needs.h"
#include "cli/open_trace.h"
#include "cli/quantity.h"
#include "cli/say.h"
#include "cli/trace_contents.h"
#include "cli/trace_facts.h"

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
  if (state == "recording") return "still being recorded";
  if (!manifest.end_reason.empty()) return state + ": " + manifest.end_reason;
  if (!manifest.complete) return state + ": its tmrec was killed, or the machine stopped";
  return fmt::format("the program ended with status {}", manifest.exit_status);
}

std::string shown_ticks(const Manifest& manifest, const CodeFacts& facts) {
  if (manifest.tick_source == "none") return "not counted: tasks were stopped at system calls only";
  return fmt::format("{}; stopped at {}: {} preemptions, {} signals", manifest.tick_source, facts.stops,
                     facts.preemptions, facts.signals);
}

// "left alone / all", and nothing where there is nothing.
std::string shown_places(const Places& places) {
  return places.all == 0 ? "-" : fmt::format("{} / {}", places.left_alone, places.all);
}

void add(Places& sum, const Places& places) {
  sum.all += places.all;
  sum.left_alone += places.left_alone;
}

void module_line(std::string_view name, const ModuleFacts& module) {
  line(name, fmt::format("{:>16} {:>16} {:>16} {:>9}  {}", shown_places(module.back_edges),
                         shown_places(module.indirect_jumps), shown_places(module.calls), shown_places(module.special),
                         module.name));
}

// What was patched, and what was not: a table of modules, and how it was done in all of them together.
void code_lines(const CodeFacts& facts) {
  if (facts.modules.empty()) return;
  line("code", fmt::format("{:>16} {:>16} {:>16} {:>9}  module (left alone / all)", "back edges", "indirect jumps",
                           "calls", "special"));
  ModuleFacts sum;
  sum.name = fmt::format("{} modules", facts.modules.size());
  for (const ModuleFacts& module : facts.modules) {
    module_line("", module);
    add(sum.back_edges, module.back_edges);
    add(sum.indirect_jumps, module.indirect_jumps);
    add(sum.calls, module.calls);
    add(sum.special, module.special);
    for (std::size_t i = 0; i < sum.by_method.size(); ++i) sum.by_method[i] += module.by_method[i];
  }
  if (facts.modules.size() > 1) module_line("", sum);
  std::string methods;
  for (std::size_t i = 0; i < sum.by_method.size(); ++i) {
    if (sum.by_method[i] == 0) continue;
    const auto method = static_cast<patch::Method>(i);
    methods += fmt::format("{}{} {}", methods.empty() ? "" : ", ", sum.by_method[i],
                           method == patch::Method::None ? "left alone" : patch::name_of(method));
  }
  line("", methods);
  if (facts.undone != 0) line("", fmt::format("made the program's own again {} times", facts.undone));
}

std::string shown(const char* what, const std::vector<PackedFile>& files) {
  const Amount amount = amount_of(files);
  return fmt::format("{} {}: {}", amount.files, what, show_size(amount.bytes));
}

void content_lines(const OpenTrace& open, const Result<TraceContents>& contents) {
  const fs::path& place = open.blobs;
  if (!contents) {
    line("contains", "not known: " + contents.error().text);
    return;
  }
  line("contains", shown("segments of the log", contents->log));
  line("", shown("snapshots", contents->snapshots));
  line("", shown("contents of mapped files", contents->blobs) + (open.packed ? "" : ", in " + place.string()));
  if (!contents->missing.empty()) {
    line("", fmt::format("{} more are missing, first {}: it cannot be replayed without", contents->missing.size(),
                         contents->missing.front()));
  }
  if (open.packed) line("", shown("files of debug information", contents->debug));
  line("secrets", fmt::format("{}the program's memory and all it read and wrote, passwords included",
                              open.encrypted ? "encrypted here, and in the clear once decrypted: " : "in the clear: "));
}

void machine_lines(const Manifest& manifest) {
  const MachineNeeds needs = needs_of(manifest.cpu);
  line("cpu", fmt::format("{} ({})", manifest.cpu.model, manifest.cpu.vendor));
  line("needs", fmt::format("Linux {}.{} or later on x86-64, and what the program's code has chosen of:",
                            kOldestLinuxMajor, kOldestLinuxMinor));
  line("", fmt::format("{}{}{}, register state {:#x}", needs.level, needs.beyond.empty() ? "" : " ",
                       fmt::join(needs.beyond, " "), needs.xcr0));
}

void print_text(const OpenTrace& open, const Manifest& manifest, const Result<CodeFacts>& facts,
                const Result<TraceContents>& contents) {
  const fs::path& trace = open.trace;
  line("trace", open.packed ? fmt::format("{}, a pack of {}{}", open.name, show_size(open.pack_bytes),
                                          open.encrypted ? ", encrypted" : "")
                            : open.name);
  line("command", shown_command(manifest.command));
  if (!manifest.program.empty()) line("program", manifest.program);
  line("directory", manifest.cwd);
  line("recorded", fmt::format("{} on {}, Linux {}, by tmrec {}", shown_time(manifest.created), manifest.hostname,
                               manifest.kernel, manifest.tmrec_version));
  line("process", fmt::format("{} (user {})", manifest.pid.value, manifest.uid));
  line("end", shown_end(manifest, state_of(manifest, trace)));
  if (manifest.complete) line("events", fmt::format("{} in {}", manifest.events, show_duration(manifest.duration_ns)));
  if (manifest.first_event > 1) line("", fmt::format("the first {} were dropped", manifest.first_event - 1));
  if (manifest.starts != 0) {
    line("stood still",
         fmt::format("{} times for starting points, up to {} ms", manifest.starts, manifest.longest_start_ms));
  }
  if (manifest.attach_us != 0) {
    line("stood still",
         fmt::format("{:.1f} ms to be attached to, {:.1f} ms to be let go",
                     static_cast<double>(manifest.attach_us) / 1e3, static_cast<double>(manifest.let_go_us) / 1e3));
  }
  content_lines(open, contents);
  machine_lines(manifest);
  line("schedule", fmt::format("{}seed {}", manifest.chaos ? "chaos, " : "", manifest.seed));
  line("ticks", facts ? shown_ticks(manifest, *facts) : "not known: " + facts.error().text);
  if (manifest.longest_without_tick_ns != 0) {
    line("no tick for", fmt::format("{} ms at most", manifest.longest_without_tick_ns / 1'000'000));
  }
  if (facts) code_lines(*facts);
  line("checks", manifest.check_every == 0
                     ? "registers at every event, memory never"
                     : fmt::format("registers at every event, memory every {} events", manifest.check_every));
  tally_lines("refused", manifest.refused);
  tally_lines("noted", manifest.notes);
  const std::vector<std::string> doubts = complaints_here(manifest);
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

std::string places(const Places& places) {
  return JsonObject().add("all", places.all).add("unpatched", places.left_alone).str();
}

std::string methods(const ModuleFacts& module) {
  JsonObject object;
  for (std::size_t i = 0; i < module.by_method.size(); ++i) {
    object.add(patch::name_of(static_cast<patch::Method>(i)), module.by_method[i]);
  }
  return object.str();
}

std::string modules(const std::vector<ModuleFacts>& list) {
  JsonArray array;
  for (const ModuleFacts& module : list) {
    array.raw(JsonObject()
                  .add("name", module.name)
                  .add("plan", module.plan)
                  .add("times", module.address_spaces)
                  .add("text_bytes", module.text_bytes)
                  .add("trampoline_bytes", module.trampoline_bytes)
                  .raw("back_edges", places(module.back_edges))
                  .raw("indirect_jumps", places(module.indirect_jumps))
                  .raw("calls", places(module.calls))
                  .raw("special", places(module.special))
                  .raw("methods", methods(module))
                  .str());
  }
  return array.str();
}

// null: the log or a plan cannot be read.
std::string code(const Result<CodeFacts>& facts) {
  if (!facts) return "null";
  return JsonObject()
      .add("stops", facts->stops)
      .add("preemptions", facts->preemptions)
      .add("signals", facts->signals)
      .add("undone", facts->undone)
      .raw("modules", modules(facts->modules))
      .str();
}

std::string amount(const std::vector<PackedFile>& files) {
  const Amount sum = amount_of(files);
  return JsonObject().add("files", sum.files).add("bytes", sum.bytes).str();
}

// null: the log or a snapshot cannot be read.
std::string contents(const Result<TraceContents>& of) {
  if (!of) return "null";
  return JsonObject()
      .raw("log", amount(of->log))
      .raw("snapshots", amount(of->snapshots))
      .raw("blobs", amount(of->blobs))
      .raw("debug", amount(of->debug))
      .raw("missing_blobs", strings(of->missing))
      .str();
}

std::string needs(const CpuInfo& cpu) {
  const MachineNeeds of = needs_of(cpu);
  return JsonObject().add("level", of.level).raw("beyond", strings(of.beyond)).add("xcr0", of.xcr0).str();
}

void print_json(const OpenTrace& open, const Manifest& manifest, const Result<CodeFacts>& facts,
                const Result<TraceContents>& of) {
  const fs::path& trace = open.trace;
  const std::string out = JsonObject()
                              .add("trace", open.name)
                              .add("packed", open.packed)
                              .add("encrypted", open.encrypted)
                              .raw("contents", contents(of))
                              .raw("needs", needs(manifest.cpu))
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
                              .add("first_event", manifest.first_event)
                              .add("starting_points", manifest.starts)
                              .add("longest_start_ms", manifest.longest_start_ms)
                              .add("attach_us", manifest.attach_us)
                              .add("let_go_us", manifest.let_go_us)
                              .add("duration_ns", manifest.duration_ns)
                              .add("bytes", size_of(trace))
                              .add("blobs", open.blobs.string())
                              .add("cpu_vendor", manifest.cpu.vendor)
                              .add("cpu_model", manifest.cpu.model)
                              .add("tick_source", manifest.tick_source)
                              .raw("ticks", code(facts))
                              .add("check_every", manifest.check_every)
                              .add("seed", manifest.seed)
                              .add("chaos", manifest.chaos)
                              .add("longest_without_tick_ns", manifest.longest_without_tick_ns)
                              .raw("refused", tallies(manifest.refused))
                              .raw("notes", tallies(manifest.notes))
                              .raw("doubts", strings(complaints_here(manifest)))
                              .str();
  fmt::print("{}\n", out);
}

Result<> info(const TraceChoice& choice, bool json) {
  TMREC_TRY(const OpenTrace open, open_trace(choice));
  TMREC_TRY(const Manifest manifest, Manifest::load(open.trace));
  const Result<CodeFacts> facts = code_facts(open.trace, open.blobs);
  const Result<TraceContents> contents = contents_of(open.trace, open.blobs, open.packed);
  json ? print_json(open, manifest, facts, contents) : print_text(open, manifest, facts, contents);
  return {};
}

}  // namespace

Action add_info(CLI::App& app) {
  struct Options {
    TraceChoice trace;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  add_trace_choice(app, options->trace);
  app.add_flag("--json", options->json, "Print one JSON object");
  app.footer("Examples:\n  tmrec info\n  tmrec info --json redis-server-3 | jq .events");
  return [options] {
    const Result<> done = info(options->trace, options->json);
    return done ? 0 : report(done.error());
  };
}

}  // namespace tmrec::cli
