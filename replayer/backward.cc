// Going back: to the last stop before, and by one instruction.
#include <fmt/format.h>

#include "replayer/timeline.h"

namespace tmrec::replayer {

namespace {

Halt halted(Halt::Kind kind, Tid task) { return {.kind = kind, .task = task, .watch = {}}; }

bool is_stop(const Halt& halt) { return halt.kind == Halt::Kind::Breakpoint || halt.kind == Halt::Kind::Watch; }

}  // namespace

Result<std::optional<Halt>> Timeline::backward(std::shared_ptr<const Stops> stops,
                                               const std::function<bool()>& give_up) {
  TMREC_TRY(Position end, position());
  const Tid here = process_;
  while (end > begin_ && !stops->empty()) {
    const auto at = std::ranges::lower_bound(checkpoints_, end, {}, &Checkpoint::position);
    const Position start = std::prev(at)->position;
    TMREC_TRY(Live live, restore(start));
    Orders orders{.process = process_, .stops = stops, .goal = end, .start_of = {}, .step = {}, .give_up = give_up};
    std::optional<std::pair<Place, Halt>> last;
    for (;;) {
      TMREC_TRY(const Halt halt, walk(live, orders));
      if (halt.kind == Halt::Kind::Asked) return halted(Halt::Kind::Asked, here);
      if (halt.kind == Halt::Kind::Arrived) break;
      if (!is_stop(halt)) return fail(ErrorKind::System, "a replay ended before it came to where it was");
      TMREC_TRY(const Place place, live.walker->place());
      last = {place, halt};
      orders.skip_first = halt.kind == Halt::Kind::Breakpoint;
    }
    if (last) {
      TMREC_TRY(const Position found, locate(last->first, give_up));
      // A watchpoint stops behind the instruction; backwards that is in front of it.
      std::optional<Position> target = found;
      if (last->second.kind == Halt::Kind::Watch) {
        TMREC_TRY(target, previous(found, last->second.task, give_up));
      }
      if (!target) break;
      TMREC_TRY(const bool arrived, seek(*target, give_up));
      return arrived ? last->second : halted(Halt::Kind::Asked, here);
    }
    end = start;
  }
  TMREC_TRY(const bool arrived, seek(begin_, give_up));
  if (!arrived) return halted(Halt::Kind::Asked, here);
  return std::nullopt;
}

Result<std::optional<Halt>> Timeline::step_back(Tid task, const std::function<bool()>& give_up) {
  TMREC_TRY(const Position from, position());
  TMREC_TRY(const auto target, previous(from, task, give_up));
  if (!target) {
    TMREC_TRY(const bool arrived, seek(begin_, give_up));
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
  for (EventNo event = position.event; event > begin_.event; event = EventNo(event.value - 1)) {
    TMREC_TRY(const Brief* const each, brief(event));
    if (each == nullptr || !each->runs || each->task != task) continue;
    TMREC_TRY(const Position found, last_before(event, give_up));
    return found < begin_ ? std::nullopt : std::optional(found);
  }
  return std::nullopt;
}

// At the start of a tick: the last instruction of the tick before, unless that is before the last event.
Result<std::optional<Position>> Timeline::previous_in_tick(const Position& position, Tid task,
                                                           const std::function<bool()>& give_up) {
  if (position.ticks.value == 0) return std::nullopt;
  const Position before{position.event, Ticks(position.ticks.value - 1), 0};
  TMREC_TRY(Live live, restore(std::max(begin_, before)));
  TMREC_TRY(Place place, live.walker->place());
  const bool inside = place.base.event == position.event;
  if (!inside) {
    Orders orders{
        .process = process_, .stops = {}, .goal = {}, .start_of = position.event, .step = {}, .give_up = give_up};
    TMREC_TRY(const Halt halt, walk(live, orders));
    if (halt.kind != Halt::Kind::Arrived) return fail(ErrorKind::System, "interrupted");
    TMREC_TRY(place, live.walker->place());
  }
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

// Where the task stands when it comes to this event.
Result<Position> Timeline::last_before(EventNo event, const std::function<bool()>& give_up) {
  const EventNo start(event.value - 1);
  TMREC_TRY(const Brief* const at, brief(event));
  const Ticks ticks(at->ticks.value - (at->at_tick ? 1 : 0));
  const Position last_tick{start, ticks, 0};
  TMREC_TRY(Live live, restore(std::max(begin_, last_tick)));
  TMREC_TRY(Place place, live.walker->place());
  if (place.base.event != start) {
    Orders orders{.process = process_, .stops = {}, .goal = {}, .start_of = start, .step = {}, .give_up = give_up};
    TMREC_TRY(const Halt halt, walk(live, orders));
    if (halt.kind != Halt::Kind::Arrived) return fail(ErrorKind::System, "interrupted");
    TMREC_TRY(place, live.walker->place());
  }
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
