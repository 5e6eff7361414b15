#include "replayer/timeline.h"

#include <algorithm>

#include <fmt/format.h>

#include "replayer/motion.h"
#include "replayer/spacing.h"

namespace tmrec::replayer {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

namespace {

// A fork costs a millisecond, of a large process tens of them.
constexpr auto kCheckpointEvery = 100ms;
constexpr std::uint64_t kApartNs = 50'000'000;  // closer together, one of two would be given up soon
constexpr int kMostForForks = 25;               // a checkpoint after so many times of what the last one has cost
constexpr std::size_t kMaxCheckpoints = 48;
// What is worth keeping on the way to a place: whoever goes there will look around.
constexpr std::uint64_t kFarNs = 4'000'000;
constexpr std::uint64_t kTicksBefore[] = {300'000, 10'000, 300, 10};
constexpr std::uint64_t kEventsBefore[] = {1000, 30};
constexpr std::uint64_t kStepsBefore[] = {64, 8};
constexpr std::uint64_t kManySteps = 16;

std::uint64_t since(Clock::time_point start) {
  return static_cast<std::uint64_t>(std::chrono::nanoseconds(Clock::now() - start).count());
}

std::unexpected<Error> left() { return fail(ErrorKind::System, "interrupted"); }

}  // namespace

Timeline::Timeline(std::unique_ptr<Session> session, LogReader log) : log_(std::move(log)) {
  now_.session = std::move(session);
  now_.walker = std::make_unique<Walker>(*now_.session);
}

Result<void> Timeline::begin_here() {
  TMREC_TRY(begin_, position());
  return keep(now_);
}

void Timeline::concern(Tid process, EventNo since) {
  process_ = process;
  floor_ = since;
}

Result<const Timeline::Brief*> Timeline::brief(EventNo event) {
  static const Brief kDropped{};
  while (briefs_.size() + before_ < event.value) {
    TMREC_TRY(const auto next, log_.next());
    if (!next) return nullptr;
    if (briefs_.empty()) before_ = next->no.value - 1;
    if (on_read) on_read(*next);
    if (std::holds_alternative<StartEvent>(next->body) || std::holds_alternative<EndEvent>(next->body)) in_gap_ = false;
    if (in_gap_) {
      briefs_.push_back(kDropped);
      continue;
    }
    const bool runs = comes_by_itself(*next, in_call_.contains(next->tid));
    briefs_.push_back({next->tid, next->ticks, runs, sets_task(*next), begins_tick(*next), next->time_ns});
    note_call(*next);
  }
  if (event.value == 0) return nullptr;
  return event.value <= before_ ? &kDropped : &briefs_[event.value - 1 - before_];
}

void Timeline::note_call(const Event& event) {
  const auto* const call = std::get_if<SyscallEvent>(&event.body);
  if (call != nullptr && call->phase == SyscallEvent::Phase::Enter) {
    in_call_.insert(event.tid);
  } else if (call != nullptr || std::holds_alternative<ExitEvent>(event.body)) {
    in_call_.erase(event.tid);
  } else if (const auto* const exec = std::get_if<ExecEvent>(&event.body)) {
    in_call_.erase(exec->former);
    in_call_.erase(event.tid);
  } else if (std::holds_alternative<GapEvent>(event.body)) {
    in_gap_ = true;
    in_call_.clear();
  } else if (const auto* const start = std::get_if<StartEvent>(&event.body)) {
    for (const StartEvent::Process& process : start->processes) {
      for (const StartEvent::Thread& thread : process.threads) {
        if (thread.in_call) in_call_.insert(thread.tid);
      }
    }
  }
}

// Checkpoints are made on the way, wherever it has taken long enough to come.
Result<Halt> Timeline::walk(Live& live, Orders orders) {
  const auto asked = std::move(orders.give_up);
  for (;;) {
    const auto start = Clock::now();
    bool due = false, told = false;
    orders.give_up = [&] {
      told = told || (asked && asked());
      due = due || Clock::now() - start > std::max<Clock::duration>(kCheckpointEvery, kMostForForks * fork_took_);
      return told || due;
    };
    auto halt = live.walker->walk(orders);
    live.cost_ns += since(start);
    if (!halt) return halt;
    const bool goes_on = halt->kind == Halt::Kind::Asked && !told;
    if (!goes_on) return halt;
    TMREC_TRY(const Gaps around, gaps(live));
    if (std::min(around.before, around.behind) > kApartNs) TMREC_CHECKED(keep(live));
    orders.skip_first = false;
  }
}

// Only at a place that is known to be a position.
Result<void> Timeline::keep(Live& live) {
  TMREC_TRY(const Place place, live.walker->place());
  if (!place.hops.empty()) return {};
  auto at = std::ranges::lower_bound(checkpoints_, place.base, {}, &Checkpoint::position);
  if (at != checkpoints_.end() && at->position == place.base) return {};
  const auto start = Clock::now();
  TMREC_TRY(auto copy, live.session->fork());
  fork_took_ = Clock::now() - start;
  at = checkpoints_.insert(at, {place.base, std::move(copy), live.cost_ns});
  if (checkpoints_.size() <= kMaxCheckpoints) return {};
  std::vector<std::uint64_t> costs;
  for (const Checkpoint& each : checkpoints_) costs.push_back(each.cost_ns);
  const auto here = static_cast<std::size_t>(at - checkpoints_.begin());
  checkpoints_.erase(checkpoints_.begin() + static_cast<std::ptrdiff_t>(least_useful(costs, here)));
  return {};
}

Result<Timeline::Live> Timeline::restore(const Position& position) {
  const auto after = std::ranges::upper_bound(checkpoints_, position, {}, &Checkpoint::position);
  if (after == checkpoints_.begin()) return fail(ErrorKind::Usage, "that is before the history begins");
  const Checkpoint& from = *std::prev(after);
  Live live;
  TMREC_TRY(live.session, from.session->fork());
  live.walker = std::make_unique<Walker>(*live.session, Place{from.position, {}});
  live.cost_ns = from.cost_ns;
  return live;
}

// With checkpoints on the way, closer and closer together: the next thing is often to go a little further back.
Result<bool> Timeline::approach(Live& live, const Position& goal, const std::function<bool()>& give_up) {
  Orders orders{.process = process_, .stops = {}, .goal = {}, .start_of = {}, .step = {}, .give_up = give_up};
  for (const std::uint64_t events : kEventsBefore) {
    if (goal.event.value <= live.session->position().value + events) continue;
    orders.start_of = EventNo(goal.event.value - events);
    TMREC_TRY(const Halt halt, walk(live, orders));
    if (halt.kind != Halt::Kind::Arrived) return halt.kind != Halt::Kind::Asked;
    TMREC_CHECKED(keep_if_far(live));
  }
  if (live.session->position() < goal.event) {
    orders.start_of = goal.event;
    TMREC_TRY(const Halt halt, walk(live, orders));
    if (halt.kind != Halt::Kind::Arrived) return halt.kind != Halt::Kind::Asked;
    TMREC_CHECKED(keep_if_far(live));
  }
  orders.start_of = {};
  for (const std::uint64_t ticks : kTicksBefore) {
    TMREC_TRY(const Place here, live.walker->place());
    if (goal.ticks.value < ticks || here.base.ticks.value + ticks >= goal.ticks.value) continue;
    orders.goal = Position{goal.event, Ticks(goal.ticks.value - ticks), 0};
    TMREC_TRY(const Halt halt, walk(live, orders));
    if (halt.kind != Halt::Kind::Arrived) return halt.kind != Halt::Kind::Asked;
    TMREC_CHECKED(keep_if_far(live));
  }
  return true;
}

// What lies between here and the checkpoints before and behind.
Result<Timeline::Gaps> Timeline::gaps(const Live& live) const {
  constexpr std::uint64_t kNone = ~std::uint64_t{0};
  const auto apart = [](std::uint64_t from, std::uint64_t to) { return to > from ? to - from : 0; };
  TMREC_TRY(const Place here, live.walker->place());
  const auto after = std::ranges::upper_bound(checkpoints_, here.base, {}, &Checkpoint::position);
  return Gaps{after == checkpoints_.begin() ? kNone : apart(std::prev(after)->cost_ns, live.cost_ns),
              after == checkpoints_.end() ? kNone : apart(live.cost_ns, after->cost_ns)};
}

Result<void> Timeline::keep_if_far(Live& live) {
  TMREC_TRY(const Gaps around, gaps(live));
  return around.before > kFarNs ? keep(live) : Result<void>{};
}

Result<Timeline::Live> Timeline::copy(const Live& live) {
  Live other;
  TMREC_TRY(const Place place, live.walker->place());
  TMREC_TRY(other.session, live.session->fork());
  other.walker = std::make_unique<Walker>(*other.session, place);
  other.cost_ns = live.cost_ns;
  return other;
}

Result<bool> Timeline::go(Live& live, const Position& goal, const std::function<bool()>& give_up) {
  TMREC_TRY(const bool close, approach(live, goal, give_up));
  if (!close) return false;
  Orders orders{.process = process_, .stops = {}, .goal = goal, .start_of = {}, .step = {}, .give_up = give_up};
  for (const std::uint64_t steps : kStepsBefore) {
    TMREC_TRY(const Place here, live.walker->place());
    const bool same_tick = here.base.event == goal.event && here.base.ticks == goal.ticks;
    if (goal.steps < (same_tick ? here.base.steps : 0) + steps + kManySteps) continue;
    orders.goal->steps = goal.steps - steps;
    TMREC_TRY(const Halt halt, walk(live, orders));
    if (halt.kind == Halt::Kind::Asked) return false;
    if (halt.kind != Halt::Kind::Arrived) break;
    TMREC_CHECKED(keep(live));
  }
  orders.goal = goal;
  TMREC_TRY(const Halt halt, walk(live, orders));
  if (halt.kind == Halt::Kind::Asked) return false;
  if (halt.kind == Halt::Kind::Arrived) return true;
  return fail(ErrorKind::Usage,
              fmt::format("the recording has no position {}.{}.{}", goal.event.value, goal.ticks.value, goal.steps));
}

Result<bool> Timeline::seek(const Position& position, const std::function<bool()>& give_up) {
  TMREC_TRY(Live live, restore(position));
  TMREC_TRY(const bool arrived, go(live, position, give_up));
  if (arrived) now_ = std::move(live);
  return arrived;
}

Result<bool> Timeline::seek_start(EventNo after, const std::function<bool()>& give_up) {
  TMREC_TRY(Live live, restore(std::max(begin_, Position{after, Ticks(0), 0})));
  Orders orders{.process = process_, .stops = {}, .goal = {}, .start_of = after, .step = {}, .give_up = give_up};
  TMREC_TRY(const Halt halt, walk(live, orders));
  if (halt.kind == Halt::Kind::Asked) return false;
  if (halt.kind != Halt::Kind::Arrived)
    return fail(ErrorKind::Usage, fmt::format("the recording has no event {}", after.value));
  now_ = std::move(live);
  return true;
}

Result<Position> Timeline::position() {
  TMREC_TRY(const Place place, now_.walker->place());
  if (place.hops.empty()) return place.base;
  TMREC_TRY(const Position position, locate(place, {}));
  now_.walker->found(position);
  return position;
}

Result<Position> Timeline::locate(const Place& place, const std::function<bool()>& give_up) {
  if (place.hops.empty()) return place.base;
  TMREC_TRY(Live live, restore(place.base));
  TMREC_TRY(const bool arrived, go(live, place.base, give_up));
  if (!arrived) return left();
  for (const Hop& each : place.hops) TMREC_CHECKED(hop(live, each));
  TMREC_TRY(const Place found, live.walker->place());
  if (!found.hops.empty()) return fail(ErrorKind::System, "a place could not be found again");
  return found.base;
}

Result<Halt> Timeline::step(Live& live, Tid task) {
  return live.walker->walk({.process = process_, .stops = {}, .goal = {}, .start_of = {}, .step = task, .give_up = {}});
}

Result<void> Timeline::hop(Live& live, const Hop& hop) {
  TMREC_TRY(const Event* const next, live.session->upcoming());
  if (next == nullptr) return fail(ErrorKind::System, "a place behind the end");
  const Tid task = next->tid;
  switch (hop.kind) {
    case Hop::Kind::Steps:
      for (std::uint64_t i = 0; i < hop.count; ++i) {
        TMREC_TRY(const Halt halt, step(live, task));
        if (halt.kind != Halt::Kind::Stepped) return fail(ErrorKind::System, "a place could not be found again");
      }
      return {};
    case Hop::Kind::Hits: {
      Orders orders{.process = process_,
                    .stops = hop.stops,
                    .goal = {},
                    .start_of = {},
                    .step = {},
                    .one_by_one = true,
                    .give_up = {}};
      TMREC_TRY(const Halt halt, live.walker->walk(orders));
      const bool hit = halt.kind == Halt::Kind::Breakpoint || halt.kind == Halt::Kind::Watch;
      return hit ? Result<void>{} : fail(ErrorKind::System, "a place could not be found again");
    }
    case Hop::Kind::Event: {
      Orders orders{
          .process = process_, .stops = {}, .goal = {}, .start_of = {}, .step = {}, .until_event = true, .give_up = {}};
      TMREC_TRY(const Halt halt, live.walker->walk(orders));
      return halt.kind == Halt::Kind::BeforeEvent ? Result<void>{}
                                                  : fail(ErrorKind::System, "a place could not be found again");
    }
    case Hop::Kind::Regs:
      while (!(live.session->find(task)->regs == hop.regs)) {
        TMREC_TRY(const Halt halt, step(live, task));
        if (halt.kind != Halt::Kind::Stepped) return fail(ErrorKind::System, "a place could not be found again");
      }
      return {};
  }
  return {};
}

Result<Halt> Timeline::forward(const Orders& orders) {
  TMREC_TRY(const Halt halt, walk(now_, orders));
  if (halt.kind == Halt::Kind::CallBegins || halt.kind == Halt::Kind::End) {
    TMREC_CHECKED(stand_in_front_of_call(orders.give_up));
  }
  return halt;
}

// A task that ran into its call has lost what the call does to registers (rcx, r11), and in patched code is elsewhere.
// Whoever looks is to see what he sees when he comes back.
Result<void> Timeline::stand_in_front_of_call(const std::function<bool()>& give_up) {
  TMREC_TRY(const Event* const next, session().upcoming());
  const auto* const call = next == nullptr ? nullptr : std::get_if<SyscallEvent>(&next->body);
  if (call == nullptr || call->phase == SyscallEvent::Phase::Exit) return {};
  TMREC_TRY(const Position here, position());
  TMREC_TRY([[maybe_unused]] const bool there, seek(here, give_up));
  return {};
}

}  // namespace tmrec::replayer
