// Commands of tmrec's own in a debugger (gdb: `monitor COMMAND`).
#include <fmt/format.h>

#include "format/manifest.h"
#include "replayer/debug_target.h"
#include "replayer/describe.h"
#include "replayer/gdb_commands.h"
#include "replayer/moment.h"

namespace tmrec::replayer {

namespace {

constexpr const char* kHelp =
    "when                      where this is: event, thread, ticks and instructions, and the time of the recording\n"
    "seek EVENT[.TICKS[.N]]    go there; seek begin: to the start of the process; seek program: of what\n"
    "                          it executes now; seek end: to its crash, or its exit\n"
    "seek-time TIME            go there: SECONDS since the start, or [YYYY-MM-DD ]HH:MM:SS[.FRACTION]\n"
    "last ADDRESS[,BYTES]      go back to the instruction that last wrote there\n"
    "events [N]                the N events before and after\n"
    "end                       the last event of the recording\n"
    "checkpoint [NOTE]         remember this place for the time of this session\n"
    "restart NUMBER            go back to a checkpoint\n"
    "checkpoints               list them\n"
    "delete-checkpoint NUMBER  forget one\n"
    "bookmark NAME             remember this place beside the recording\n"
    "goto-bookmark NAME        go back to it\n"
    "bookmarks                 list them\n"
    "delete-bookmark NAME      forget one\n"
    "end-diversion             back to the recording, after something was changed\n"
    "processes                 those of the recording, and when they lived\n"
    "process PID               show this one; it is gone to where it lives\n"
    "catch-forks on|off        whether going back stops where a process was born, too\n"
    "copies                    how many copies of the program are kept to go back with\n"
    "gdb-commands              the Python text of the commands for gdb:\n"
    "                          python exec(gdb.execute('monitor gdb-commands', to_string=True))\n"
    "Where gdb has no commands of ours, say `maintenance flush register-cache` after having gone somewhere.\n";

}  // namespace

std::pair<std::string, std::string> first_word(const std::string& text) {
  const std::size_t begin = std::min(text.find_first_not_of(' '), text.size());
  const std::size_t end = std::min(text.find(' ', begin), text.size());
  const std::size_t rest = std::min(text.find_first_not_of(' ', end), text.size());
  const std::size_t behind = std::max(rest, std::min(text.find_last_not_of(' ') + 1, text.size()));
  return {text.substr(begin, end - begin), text.substr(rest, behind - rest)};
}

std::string DebugTarget::monitor(const std::string& command, const gdbstub::Interrupted& interrupted) {
  if (const auto trip = travel(command, interrupted)) return trip->text;
  const auto [word, rest] = first_word(command);
  if (word == "help" || word.empty()) return kHelp;
  if (word == "when") return when();
  if (word == "events") return events(rest);
  if (word == "end") return last_event();
  if (word == "checkpoint") return checkpoint(rest);
  if (word == "checkpoints") return list_checkpoints();
  if (word == "delete-checkpoint") return delete_checkpoint(rest);
  if (word == "bookmark") return bookmark(rest);
  if (word == "bookmarks") return list_bookmarks();
  if (word == "delete-bookmark") return delete_bookmark(rest);
  if (word == "processes") return list_processes();
  if (word == "catch-forks") return catches_forks_ = rest != "off", std::string();
  if (word == "copies") return fmt::format("{} copies\n", timeline_.checkpoints());
  if (word == "gdb-commands") return kGdbCommands;
  if (word == "keep-diversion") return keep_diversion();
  if (word == "calls-done") return calls_done();
  if (word == "end-diversion") return end_diversion(), when();
  if (word == "tells-changes") return tells_changes_ = true, std::string();
  if (word == "on-resume") return errand_ = rest, std::string();
  if (word == "outcome") return arrives_next_ = false, outcome_;
  return fmt::format("tmrec has no command '{}'; `monitor help` lists them\n", word);
}

std::string DebugTarget::when() {
  const auto position = timeline_.position();
  if (!position) return position.error().text + "\n";
  const auto next = timeline_.session().upcoming();
  if (!next) return next.error().text + "\n";
  const auto manifest = Manifest::load(timeline_.session().trace().path());
  if (!manifest) return manifest.error().text + "\n";
  const std::string_view runs = *next == nullptr ? "the recording ends here" : "runs";
  const std::int32_t tid = *next == nullptr ? process_.value : (*next)->tid.value;
  const Event* const last = timeline_.session().last();
  const std::uint64_t since = last == nullptr ? 0 : last->time_ns;
  const std::uint64_t until = *next == nullptr ? since : (*next)->time_ns;
  const auto clock = [&](std::uint64_t ns) { return wall_clock(manifest->began_ns() + static_cast<std::int64_t>(ns)); };
  std::string text = diversion_ ? "in a diversion from here:\n" : "";
  text += fmt::format("position {}: after event {}; thread {} {}, {} ticks, {} instructions since\n",
                      text_of(*position), position->event.value, tid, runs, position->ticks.value, position->steps);
  text +=
      fmt::format("recorded between {:.6f} and {:.6f} s after the start, {} to {}\n", static_cast<double>(since) / 1e9,
                  static_cast<double>(until) / 1e9, clock(since), clock(until).substr(11));
  return text;
}

std::string DebugTarget::last_event() {
  EventNo last = timeline_.session().position();
  for (;; last = EventNo(last.value + 1)) {
    const auto next = timeline_.brief(EventNo(last.value + 1));
    if (!next) return next.error().text + "\n";
    if (*next == nullptr) return fmt::format("{} is the last event\n", last.value);
  }
}

std::string DebugTarget::events(const std::string& words) {
  const std::uint64_t around = words.empty() ? 5 : parse_number(words).value_or(5);
  const std::uint64_t now = timeline_.session().position().value;
  auto log = LogReader::open(timeline_.session().trace().path());
  if (!log) return log.error().text + "\n";
  std::string text;
  for (;;) {
    const auto event = log->next();
    if (!event || !*event || (*event)->no.value > now + around) break;
    if ((*event)->no.value + around <= now) continue;
    text += fmt::format("{} {:8} {:12.6f} {:7} {}\n", (*event)->no.value == now ? '>' : ' ', (*event)->no.value,
                        static_cast<double>((*event)->time_ns) / 1e9, (*event)->tid.value, one_line(**event));
  }
  return text;
}

std::string DebugTarget::checkpoint(const std::string& note) {
  const auto here = timeline_.position();
  if (!here) return here.error().text + "\n";
  if (!note.empty() && !is_name(note)) return "a note is one line of text\n";
  checkpoints_[++checkpoints_made_] = {*here, note};
  return fmt::format("Checkpoint {} at {}\n", checkpoints_made_, text_of(*here));
}

std::string DebugTarget::list_checkpoints() const {
  if (checkpoints_.empty()) return "No checkpoints.\n";
  std::string text;
  for (const auto& [number, each] : checkpoints_) {
    text += fmt::format("{:3} {} {}\n", number, text_of(each.position), each.note);
  }
  return text;
}

std::string DebugTarget::delete_checkpoint(const std::string& words) {
  const auto number = parse_number(words);
  if (number && checkpoints_.erase(*number) != 0) return {};
  return fmt::format("there is no checkpoint '{}'\n", words);
}

std::string DebugTarget::bookmark(const std::string& name) {
  if (!is_name(name)) return fmt::format("bookmark NAME: a text of at most {} bytes\n", kMostOfName);
  const auto here = timeline_.position();
  if (!here) return here.error().text + "\n";
  const auto kept = Bookmarks(timeline_.session().trace().path()).put({*here, process_, name});
  if (!kept) return kept.error().text + "\n";
  return fmt::format("Bookmark '{}' at {}\n", name, text_of(*here));
}

std::string DebugTarget::list_bookmarks() {
  const auto all = Bookmarks(timeline_.session().trace().path()).all();
  if (!all) return all.error().text + "\n";
  if (all->empty()) return "No bookmarks.\n";
  std::string text;
  for (const Bookmark& each : *all) {
    const std::string where = each.process == process_ ? "" : fmt::format(" (process {})", each.process.value);
    text += fmt::format("{}{}  {}\n", text_of(each.position), where, each.name);
  }
  return text;
}

std::string DebugTarget::delete_bookmark(const std::string& name) {
  const auto removed = Bookmarks(timeline_.session().trace().path()).remove(name);
  if (!removed) return removed.error().text + "\n";
  return *removed ? "" : fmt::format("there is no bookmark '{}'\n", name);
}

}  // namespace tmrec::replayer
