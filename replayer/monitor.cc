// Commands of tmrec's own in a debugger (gdb: `monitor COMMAND`).
#include <charconv>

#include <fmt/format.h>

#include "replayer/debug_target.h"
#include "replayer/describe.h"

namespace tmrec::replayer {

namespace {

constexpr const char* kHelp =
    "when                    event, thread, ticks and instructions; when that was recorded\n"
    "seek EVENT[.TICKS[.N]]  go there (then: maintenance flush register-cache)\n"
    "events [N]              the N events before and after\n"
    "end                     the last event of the recording\n"
    "checkpoints             how many there are\n";

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::pair<std::string, std::string> first_word(const std::string& text) {
  const std::size_t begin = std::min(text.find_first_not_of(' '), text.size());
  const std::size_t end = std::min(text.find(' ', begin), text.size());
  const std::size_t rest = std::min(text.find_first_not_of(' ', end), text.size());
  return {text.substr(begin, end - begin), text.substr(rest)};
}

}  // namespace

std::string DebugTarget::monitor(const std::string& command, const gdbstub::Interrupted& interrupted) {
  const auto [word, rest] = first_word(command);
  if (word == "help" || word.empty()) return kHelp;
  if (word == "when") return when();
  if (word == "seek") return seek(rest, interrupted);
  if (word == "events") return events(rest);
  if (word == "end") return last_event();
  if (word == "checkpoints") return fmt::format("{} checkpoints\n", timeline_.checkpoints());
  return fmt::format("tmrec has no command '{}'; `monitor help` lists them\n", word);
}

std::string DebugTarget::when() {
  const auto position = timeline_.position();
  if (!position) return position.error().text + "\n";
  const auto next = timeline_.session().upcoming();
  if (!next) return next.error().text + "\n";
  const double seconds = *next == nullptr ? 0 : static_cast<double>((*next)->time_ns) / 1e9;
  const std::int32_t tid = *next == nullptr ? 0 : (*next)->tid.value;
  return fmt::format(
      "position {}.{}.{}: after event {}, thread {} runs, {} ticks, {} instructions since; recorded before {:.6f} s\n",
      position->event.value, position->ticks.value, position->steps, position->event.value, tid, position->ticks.value,
      position->steps, seconds);
}

std::string DebugTarget::seek(const std::string& words, const gdbstub::Interrupted& interrupted) {
  Position goal;
  std::string_view rest = words;
  std::uint64_t parts[3] = {};
  std::size_t count = 0;
  for (; count < 3 && !rest.empty(); ++count) {
    const std::size_t dot = std::min(rest.find('.'), rest.size());
    const auto value = number(rest.substr(0, dot));
    if (!value) return "seek EVENT[.TICKS[.INSTRUCTIONS]]\n";
    parts[count] = *value;
    rest.remove_prefix(std::min(dot + 1, rest.size()));
  }
  if (count == 0 || !rest.empty()) return "seek EVENT[.TICKS[.INSTRUCTIONS]]\n";
  goal = {EventNo(parts[0]), Ticks(parts[1]), parts[2]};
  if (goal.event < timeline_.begin().event)
    return fmt::format("the history of this program begins after event {}\n", timeline_.begin().event.value);
  const auto before = timeline_.position();
  const auto there = count == 1 ? timeline_.seek_start(goal.event, interrupted) : timeline_.seek(goal, interrupted);
  if (!there) return there.error().text + "\n";
  if (any_task() == nullptr) {
    if (before) (void)timeline_.seek(*before);
    return fmt::format("process {} has ended by then\n", process_.value);
  }
  if (*there) stop_ = stopped(gdbstub::Stop::Why::Stepped);
  return *there ? when() : "interrupted\n";
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
  const std::uint64_t around = words.empty() ? 5 : number(words).value_or(5);
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

}  // namespace tmrec::replayer
