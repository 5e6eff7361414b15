// Several processes, and several programs of one, as a debugger sees them.
//
// Problem: a recording has one order of events for all its processes, a debugger one history for each. Solution: the
// debugger may look at as many processes as it likes, all of them at the same position; what one of them does stops the
// run, and how far back its history goes is where it was born. Which one that is changes with what the debugger
// resumes. A debugger takes a program for good until it is told of another: so wherever a process executes something
// else than what the debugger was told last, on whatever way it came there, it is told of an exec before anything else
// happens. Rejected: stops of all processes at once (a debugger that has resumed one process does not expect another to
// stop).
#include <fmt/format.h>

#include "gdbstub/text.h"
#include "replayer/debug_target.h"
#include "replayer/moment.h"

namespace tmrec::replayer {

using gdbstub::Stop;
using Why = Stop::Why;

// From here on the stops of this process count, back to the beginning of what it executes here.
Result<void> DebugTarget::concern(Tid process) {
  TMREC_TRY(const History::Image* const now, image(process));
  if (shown_.empty()) viewed_ = process;
  if (!shows(process)) shown_.push_back(process);
  process_ = process;
  birth_ = history_.birth_of(process).value_or(now->since);
  timeline_.concern(process, now->since);
  told_.try_emplace(process, now->since);
  return {};
}

// The debugger knows what the process executes here; its breakpoints were in what it executed before.
Result<void> DebugTarget::note_image() {
  TMREC_TRY(const History::Image* const now, image(process_));
  told_[process_] = now->since;
  breakpoints_.erase(process_);
  return {};
}

// What to tell a debugger that believes in another program.
Result<std::optional<Stop>> DebugTarget::other_program() {
  TMREC_TRY(const History::Image* const now, image(process_));
  if (told_[process_] == now->since || !reports_programs_) return std::nullopt;
  TMREC_CHECKED(note_image());
  Stop stop = stopped(Why::Executed);
  stop.program = now->program;
  return stop_ = stop;
}

// Back over the beginning of a program, into the call that executed it.
Result<Stop> DebugTarget::before_program() {
  TMREC_TRY(const History::Image* const now, image(process_));
  if (now->since <= birth_) return stopped(Why::HistoryBegin);
  TMREC_TRY([[maybe_unused]] const bool there, timeline_.seek_start(EventNo(now->since.value - 1)));
  TMREC_CHECKED(concern(process_));
  TMREC_TRY(const History::Image* const before, image(process_));
  Stop stop = stopped(Why::Executed);
  stop.program = before->program;
  return stop;
}

void DebugTarget::view(Tid thread) {
  if (const Task* const of = session().find(thread); of != nullptr && shows(of->process)) viewed_ = of->process;
}

Result<Stop> DebugTarget::attach(Tid process) {
  const Trip trip = go_to_process(std::to_string(process.value), {});
  if (!trip.moved) return fail(ErrorKind::Usage, trip.text);
  TMREC_CHECKED(note_image());
  return moved();
}

bool DebugTarget::let_go(Tid process) {
  if (!shows(process) || shown_.size() == 1) return false;
  std::erase(shown_, process);
  breakpoints_.erase(process);
  told_.erase(process);
  if (diversion_ && diversion_->process() == process) end_diversion();
  const auto lives = std::ranges::find_if(shown_, [&](Tid each) { return any_task(each) != nullptr; });
  const Tid other = lives == shown_.end() ? shown_.front() : *lives;
  if (viewed_ == process) viewed_ = other;
  if (process_ == process && concern(other)) stop_ = stopped(Why::Moved);
  return true;
}

void DebugTarget::client_left() {
  end_diversion();
  lent_.take_back_all();
  breakpoints_.clear();
  shown_ = {process_};
  viewed_ = process_;
  told_.clear();
  (void)concern(process_);
  reports_forks_ = reports_programs_ = catches_forks_ = arrives_next_ = vfork_done_next_ = false;
}

Result<void> DebugTarget::read_all_events() {
  for (EventNo event = timeline_.session().position();; event = EventNo(event.value + 1)) {
    TMREC_TRY(const auto* const brief, timeline_.brief(event));
    if (brief == nullptr && event.value != 0) return {};
  }
}

std::string DebugTarget::list_processes() {
  if (const auto read = read_all_events(); !read) return read.error().text + "\n";
  const EventNo now = timeline_.session().position();
  std::string text;
  for (const Tid process : history_.processes()) {
    const EventNo birth = history_.birth_of(process).value_or(EventNo(0));
    const auto end = history_.end_of(process);
    const bool lives = birth <= now && (!end || now < *end);
    const auto* const image = history_.image_of(process, lives ? now : end.value_or(EventNo(UINT64_MAX)));
    text += fmt::format("{} {:7}  events {} to {}  {}{}\n", process == process_ ? '*' : ' ', process.value, birth.value,
                        end ? std::to_string(end->value) : "the end", image == nullptr ? "" : image->program,
                        lives         ? ""
                        : birth > now ? "  (later)"
                                      : "  (over)");
  }
  return text;
}

// To where it lives: here, if it does, else where it begins or ends.
DebugTarget::Trip DebugTarget::go_to_process(const std::string& words, const gdbstub::Interrupted& interrupted) {
  const auto number = parse_number(words);
  if (!number || *number > INT32_MAX) return {false, "process PID: `monitor processes' lists them\n"};
  const Tid process(static_cast<std::int32_t>(*number));
  const auto from = timeline_.position();
  if (!from) return {false, from.error().text + "\n"};
  if (const auto read = read_all_events(); !read) return {false, read.error().text + "\n"};
  const auto birth = history_.birth_of(process), end = history_.end_of(process);
  if (!birth) return {false, fmt::format("the recording has no process {}: `monitor processes' lists them\n", words)};
  const EventNo now = timeline_.session().position();
  Result<bool> there = true;
  if (now < *birth) {
    there = timeline_.seek_start(*birth, interrupted);
  } else if (end && now >= *end) {
    there = timeline_.seek_start(EventNo(end->value - 1), interrupted);
  }
  const Tid former = process_;
  const bool known = shows(process);
  if (there && *there) {
    if (const auto concerned = concern(process); !concerned) return {false, concerned.error().text + "\n"};
  }
  Trip trip = arrived(std::move(there), *from);
  if (trip.moved) viewed_ = process_;
  // gdb loads libraries of a process that appears by itself only when that executes a program.
  if (trip.moved && !known) told_[process] = {};
  if (!trip.moved && former != process_ && !concern(former))
    trip.text += "and the former process is not there either\n";
  return trip;
}

}  // namespace tmrec::replayer
