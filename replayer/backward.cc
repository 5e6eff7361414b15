// Going back: to the last stop before, and by one instruction.
#include <fmt/format.h>

#include "replayer/timeline.h"

namespace tmrec::replayer {

namespace {

Halt halted(Halt::Kind kind, Tid task) { return {.kind = kind, .task = task, .watch = {}}; }

bool is_stop(const Halt& halt) {
  using Kind = Halt::Kind;
  return halt.kind == Kind::Breakpoint || halt.kind == Kind::Watch || halt.kind == Kind::CallBegins ||
         halt.kind == Kind::CallReturns || halt.kind == Kind::Forked;
}

}  // namespace

// Half-way, or not at all when they are close. Without ticks: the start of what follows an event.
Result<std::optional<Position>> Timeline::between(const Position& from, const Position& to) {
  constexpr std::uint64_t kClose = 4;
  const std::uint64_t events = to.event.value - from.event.value;
  const bool at_start = to.ticks.value == 0 && to.steps == 0;
  if (events > 1 || (events == 1 && !at_start)) {
    return Position{EventNo(from.event.value + (events + 1) / 2), Ticks(0), 0};
  }
  std::uint64_t end = to.ticks.value;
  if (events == 1) {
    TMREC_TRY(const Brief* const last, brief(to.event));
    if (last == nullptr || !last->runs) return std::nullopt;
    end = last->ticks.value;
  }
  if (end < from.ticks.value + kClose) return std::nullopt;
  return Position{from.event, Ticks(from.ticks.value + (end - from.ticks.value) / 2), 0};
}

// Up to `end` at best. Where stops are so many that halting at each would take for ever, the later half of the rest is
// searched first: a stop there makes the others of no interest.
Result<std::optional<Timeline::Found>> Timeline::last_stop(Live live, Position end, Orders orders) {
  constexpr int kMany = 50;
  std::optional<Found> found;
  for (int stops = 0;;) {
    orders.goal = end.ticks.value == 0 && end.steps == 0 ? std::nullopt : std::optional(end);
    orders.start_of = orders.goal ? std::nullopt : std::optional(end.event);
    TMREC_TRY(const Halt halt, walk(live, orders));
    if (halt.kind == Halt::Kind::Asked) given_up_ = true;
    if (halt.kind == Halt::Kind::Arrived || given_up_) return found;
    if (!is_stop(halt)) return fail(ErrorKind::System, "a replay ended before it came to where it was");
    TMREC_TRY(const Place place, live.walker->place());
    // The return of a call, and a birth, is where what follows begins.
    const bool behind = halt.kind == Halt::Kind::CallReturns || halt.kind == Halt::Kind::Forked;
    if (behind && place.base >= end) return found;
    found = {place, halt};
    orders.skip_first = halt.kind == Halt::Kind::Breakpoint;
    if (++stops < kMany) continue;
    TMREC_TRY(const auto middle, between(place.base, end));
    if (!middle) continue;
    TMREC_TRY(Live ahead, copy(live));
    Orders there{.process = process_, .stops = {}, .goal = {}, .start_of = {}, .step = {}, .give_up = orders.give_up};
    there.goal = middle->ticks.value == 0 ? std::nullopt : middle;
    if (!there.goal) there.start_of = middle->event;
    TMREC_TRY(const Halt arrived, walk(ahead, there));
    if (arrived.kind != Halt::Kind::Arrived) {
      given_up_ = true;
      return found;
    }
    Orders rest = orders;
    rest.skip_first = false;
    TMREC_TRY(const auto later, last_stop(std::move(ahead), end, rest));
    if (later || given_up_) return later;
    end = *middle;
    stops = 0;
  }
}

Result<std::optional<Timeline::Sighting>> Timeline::sighted_before(std::shared_ptr<const Stops> stops,
                                                                   const std::function<bool()>& give_up) {
  TMREC_TRY(Position end, position());
  given_up_ = false;
  const auto nowhere = [&] { return Sighting{end, halted(Halt::Kind::Asked, process_)}; };
  const Position floor{floor_, Ticks(0), 0};
  while (end > std::max(begin_, floor) && !stops->empty()) {
    const auto at = std::ranges::lower_bound(checkpoints_, end, {}, &Checkpoint::position);
    Position start = std::prev(at)->position;
    TMREC_TRY(Live live, restore(start));
    if (start < floor && live.session->position() < floor_) {
      Orders there{.process = process_, .stops = {}, .goal = {}, .start_of = floor_, .step = {}, .give_up = give_up};
      TMREC_TRY(const Halt halt, walk(live, there));
      if (halt.kind == Halt::Kind::Asked) return nowhere();
      if (halt.kind != Halt::Kind::Arrived)
        return fail(ErrorKind::System, "a replay ended before it came to where it was");
    }
    start = std::max(start, floor);
    Orders orders{.process = process_, .stops = stops, .goal = {}, .start_of = {}, .step = {}, .give_up = give_up};
    TMREC_TRY(const auto last, last_stop(std::move(live), end, orders));
    if (given_up_) return nowhere();
    if (last) {
      TMREC_TRY(const Position found, locate(last->place, give_up));
      if (last->halt.kind != Halt::Kind::Watch) return Sighting{found, last->halt};
      // A watchpoint stops behind the instruction; backwards that is in front of it.
      TMREC_TRY(const auto front, previous(found, last->halt.task, give_up));
      if (!front) return std::nullopt;
      return Sighting{*front, last->halt};
    }
    end = start;
  }
  return std::nullopt;
}

Result<std::optional<Halt>> Timeline::backward(std::shared_ptr<const Stops> stops,
                                               const std::function<bool()>& give_up) {
  const Tid here = process_;
  TMREC_TRY(const auto sighting, sighted_before(std::move(stops), give_up));
  if (sighting && sighting->halt.kind == Halt::Kind::Asked) return sighting->halt;
  TMREC_TRY(const bool arrived, sighting ? seek(sighting->at, give_up) : seek_start(floor_, give_up));
  if (!arrived) return halted(Halt::Kind::Asked, here);
  if (!sighting) return std::nullopt;
  return sighting->halt;
}

Result<std::optional<Halt>> Timeline::step_back(Tid task, const std::function<bool()>& give_up) {
  TMREC_TRY(const Position from, position());
  TMREC_TRY(const auto target, previous(from, task, give_up));
  if (!target) {
    TMREC_TRY(const bool arrived, seek_start(floor_, give_up));
    if (!arrived) return halted(Halt::Kind::Asked, task);
    return std::nullopt;
  }
  TMREC_TRY(const bool arrived, seek(*target, give_up));
  return halted(arrived ? Halt::Kind::Stepped : Halt::Kind::Asked, task);
}

// The last position before where the task was about to execute an instruction.
Result<std::optional<Position>> Timeline::previous(const Position& position, Tid task,
                                                   const std::function<bool()>& give_up) {
  TMREC_TRY(const Brief* const next, brief(EventNo(position.event.value + 1)));
  if (next != nullptr && next->runs && next->task == task) {
    if (position.steps > 0) return Position{position.event, position.ticks, position.steps - 1};
    TMREC_TRY(const auto found, previous_in_tick(position, task, give_up));
    if (found) return found;
  }
  // It stands where the last event that set it has put it. That may be where the event found it (a handler returns, and
  // the next signal is there): then it was put there by another before, without an instruction in between.
  bool moved = false;
  for (EventNo event = position.event; event > floor_; event = EventNo(event.value - 1)) {
    TMREC_TRY(const Brief* const each, brief(event));
    if (each == nullptr || each->task != task) continue;
    std::optional<Position> found;
    if (each->sets && moved) {
      TMREC_TRY(Live live, live_behind(event, {event, Ticks(0), 0}, give_up));
      TMREC_TRY(const Place place, live.walker->place());
      found = place.base;
    } else if (each->runs) {
      TMREC_TRY(found, last_before(event, give_up));
    }
    if (found) return found->event < floor_ ? std::nullopt : found;
    moved = moved || each->sets;
  }
  return std::nullopt;
}

// At the start of a tick: the last instruction of the tick before, unless that is before the last event.
Result<std::optional<Position>> Timeline::previous_in_tick(const Position& position, Tid task,
                                                           const std::function<bool()>& give_up) {
  if (position.ticks.value == 0) return std::nullopt;
  const Position before{position.event, Ticks(position.ticks.value - 1), 0};
  TMREC_TRY(Live live, live_behind(position.event, before, give_up));
  TMREC_TRY(Place place, live.walker->place());
  if (place.base >= position) return std::nullopt;
  if (place.base < before) {
    TMREC_TRY(const bool arrived, go(live, before, give_up));
    if (!arrived) return fail(ErrorKind::System, "interrupted");
    TMREC_CHECKED(keep(live));
  }
  std::optional<Position> last;
  for (;;) {
    TMREC_TRY(place, live.walker->place());
    if (place.base >= position) return last;
    last = place.base;
    TMREC_TRY(const Halt halt, step(live, task));
    if (halt.kind != Halt::Kind::Stepped) return fail(ErrorKind::System, "a replay went another way");
  }
}

// Somewhere in what follows the event: at the start of it, or later, but not behind `nearest`.
Result<Timeline::Live> Timeline::live_behind(EventNo event, const Position& nearest,
                                             const std::function<bool()>& give_up) {
  TMREC_TRY(Live live, restore(std::max(begin_, nearest)));
  if (live.session->position() == event) return live;
  Orders orders{.process = process_, .stops = {}, .goal = {}, .start_of = event, .step = {}, .give_up = give_up};
  TMREC_TRY(const Halt halt, walk(live, orders));
  if (halt.kind != Halt::Kind::Arrived) return fail(ErrorKind::System, "interrupted");
  return live;
}

// Where the task stands when it comes to this event.
Result<Position> Timeline::last_before(EventNo event, const std::function<bool()>& give_up) {
  const EventNo start(event.value - 1);
  TMREC_TRY(const Brief* const at, brief(event));
  const Ticks ticks(at->ticks.value - (at->at_tick && at->ticks.value > 0 ? 1 : 0));
  const Position last_tick{start, ticks, 0};
  TMREC_TRY(Live live, live_behind(start, last_tick, give_up));
  TMREC_TRY(Place place, live.walker->place());
  if (place.base < last_tick) {
    TMREC_TRY(const bool arrived, go(live, last_tick, give_up));
    if (!arrived) return fail(ErrorKind::System, "interrupted");
  }
  Orders orders{
      .process = process_, .stops = {}, .goal = {}, .start_of = {}, .step = {}, .until_event = true, .give_up = {}};
  TMREC_TRY(const Halt halt, live.walker->walk(orders));
  if (halt.kind != Halt::Kind::BeforeEvent) return fail(ErrorKind::System, "a replay went another way");
  TMREC_TRY(place, live.walker->place());
  return place.base;
}

}  // namespace tmrec::replayer
