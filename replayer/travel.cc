// Commands that go somewhere in the recording.
//
// A debugger takes what it knows of a process for good until that runs again. So these commands exist twice: by
// themselves
// (`monitor seek 5`), after which the debugger must be told to forget, and as an errand for the next resumption
// (`monitor on-resume seek 5`), which then stops there as at a breakpoint. The commands for gdb (gdb_commands.py) use
// the second way.
#include <fmt/format.h>

#include "format/manifest.h"
#include "gdbstub/text.h"
#include "replayer/debug_target.h"
#include "replayer/moment.h"

namespace tmrec::replayer {

namespace {

constexpr std::uint64_t kMostAtOnce = 1 << 16;  // bytes asked for by `last`

std::string asked() { return "interrupted\n"; }

std::optional<std::uint64_t> address(std::string_view text) {
  if (text.starts_with("0x")) return gdbstub::parse_hex_number(text.substr(2));
  return parse_number(text);
}

// ADDR[,LEN]
std::optional<Stops::Watch> range(const std::string& text) {
  const std::size_t comma = text.find(',');
  const auto at = address(std::string_view(text).substr(0, comma));
  const auto size = comma == std::string::npos ? 8 : parse_number(std::string_view(text).substr(comma + 1));
  if (!at || !size || *size == 0 || *size > kMostAtOnce || *at > UINT64_MAX - *size) return std::nullopt;
  return Stops::Watch{Stops::Watch::Kind::Store, RemoteAddr(*at), *size};
}

}  // namespace

DebugTarget::Trip DebugTarget::arrived(Result<bool> there, const Position& from) {
  if (!there) return {false, there.error().text + "\n"};
  if (!*there) return {false, asked()};
  if (any_task(process_) == nullptr) {
    (void)timeline_.seek(from);
    return {false,
            fmt::format("process {} does not exist there: `monitor processes' says where it does\n", process_.value)};
  }
  if (const auto concerned = concern(process_); !concerned) return {false, concerned.error().text + "\n"};
  siginfo_.reset();
  stop_ = stopped(gdbstub::Stop::Why::Moved);
  return {true, when()};
}

DebugTarget::Trip DebugTarget::seek(const std::string& words, const gdbstub::Interrupted& interrupted) {
  const auto from = timeline_.position();
  if (!from) return {false, from.error().text + "\n"};
  if (words == "begin") return arrived(timeline_.seek_start(birth_, interrupted), *from);
  if (words == "program") {
    const auto now = image(process_);
    if (!now) return {false, now.error().text + "\n"};
    return arrived(timeline_.seek_start((*now)->since, interrupted), *from);
  }
  if (words == "end") {
    auto there = go_to_end(interrupted);
    if (!there) return {false, there.error().text + "\n"};
    if (!*there) return {false, asked()};
    return {true, when()};
  }
  const auto goal = parse_position(words);
  if (!goal) return {false, "seek EVENT[.TICKS[.INSTRUCTIONS]], seek begin, seek program, or seek end\n"};
  return go_to(goal->position, goal->parts == 1, interrupted);
}

DebugTarget::Trip DebugTarget::go_to(const Position& goal, bool start_of_event,
                                     const gdbstub::Interrupted& interrupted) {
  const auto from = timeline_.position();
  if (!from) return {false, from.error().text + "\n"};
  if (goal.event < birth_) {
    return {false, fmt::format("the history of this process begins at event {}\n", birth_.value)};
  }
  const auto next = timeline_.brief(EventNo(goal.event.value + 1));
  if (next && *next != nullptr && (*next)->runs && goal.ticks > (*next)->ticks) {
    return {false, fmt::format("the recording has no position {}: event {} comes at tick {}\n", text_of(goal),
                               goal.event.value + 1, (*next)->ticks.value)};
  }
  auto there = start_of_event ? timeline_.seek_start(goal.event, interrupted) : timeline_.seek(goal, interrupted);
  return arrived(std::move(there), *from);
}

// Behind the last event that had happened by then.
DebugTarget::Trip DebugTarget::seek_time(const std::string& words, const gdbstub::Interrupted& interrupted) {
  const auto manifest = Manifest::load(timeline_.session().trace().path());
  if (!manifest) return {false, manifest.error().text + "\n"};
  const auto moment = parse_moment(words, manifest->began_ns());
  if (!moment) return {false, "seek-time SECONDS since the start, or seek-time [YYYY-MM-DD ]HH:MM:SS[.FRACTION]\n"};
  EventNo last;
  for (;; last = EventNo(last.value + 1)) {
    const auto next = timeline_.brief(EventNo(last.value + 1));
    if (!next) return {false, next.error().text + "\n"};
    if (*next == nullptr) return seek("end", interrupted);
    if ((*next)->time_ns > *moment) break;
  }
  if (last < birth_) return seek("begin", interrupted);
  return go_to({last, {}, 0}, true, interrupted);
}

DebugTarget::Trip DebugTarget::last_write(const std::string& words, const gdbstub::Interrupted& interrupted) {
  const auto watch = range(words);
  if (!watch) return {false, fmt::format("last ADDRESS[,BYTES]: at most {} bytes; 8 when left out\n", kMostAtOnce)};
  const auto from = timeline_.position();
  if (!from) return {false, from.error().text + "\n"};
  Stops stops;
  stops.watches.push_back(*watch);
  const auto found = timeline_.sighted_before(std::make_shared<Stops>(std::move(stops)), interrupted);
  if (!found) return {false, found.error().text + "\n"};
  if (!*found) {
    return {false, fmt::format("nothing has written to these {} bytes since this program began (`seek program')\n",
                               watch->size)};
  }
  if ((*found)->halt.kind == Halt::Kind::Asked) return {false, asked()};
  Trip trip = arrived(timeline_.seek((*found)->at, interrupted), *from);
  if (trip.moved && task((*found)->halt.task)) stop_.thread = (*found)->halt.task;
  return trip;
}

DebugTarget::Trip DebugTarget::restart(const std::string& words, const gdbstub::Interrupted& interrupted) {
  const auto number = parse_number(words);
  const auto kept = number ? checkpoints_.find(*number) : checkpoints_.end();
  if (kept == checkpoints_.end()) return {false, fmt::format("there is no checkpoint '{}'\n", words)};
  return go_to(kept->second.position, false, interrupted);
}

DebugTarget::Trip DebugTarget::go_to_bookmark(const std::string& name, const gdbstub::Interrupted& interrupted) {
  const auto all = Bookmarks(timeline_.session().trace().path()).all();
  if (!all) return {false, all.error().text + "\n"};
  const auto found = std::ranges::find(*all, name, &Bookmark::name);
  if (found == all->end()) return {false, fmt::format("there is no bookmark '{}'\n", name)};
  if (found->process != process_) {
    Trip other = go_to_process(std::to_string(found->process.value), interrupted);
    if (!other.moved) return other;
  }
  return go_to(found->position, false, interrupted);
}

std::optional<DebugTarget::Trip> DebugTarget::travel(const std::string& command,
                                                     const gdbstub::Interrupted& interrupted) {
  const auto [word, rest] = first_word(command);
  constexpr std::string_view kWords[] = {"seek", "seek-time", "last", "restart", "goto-bookmark", "process"};
  if (std::ranges::find(kWords, word) != std::end(kWords)) end_diversion();
  if (word == "seek") return seek(rest, interrupted);
  if (word == "seek-time") return seek_time(rest, interrupted);
  if (word == "last") return last_write(rest, interrupted);
  if (word == "restart") return restart(rest, interrupted);
  if (word == "goto-bookmark") return go_to_bookmark(rest, interrupted);
  if (word == "process") return go_to_process(rest, interrupted);
  return std::nullopt;
}

}  // namespace tmrec::replayer
