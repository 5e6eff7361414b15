// A task runs by itself up to a trap, a tick, or its next event.
#include <algorithm>
#include <csignal>

#include <fmt/format.h>

#include "replayer/walker.h"

namespace tmrec::replayer {

using tracee::Resume;
using tracee::Stop;

namespace {

constexpr Stop kCounterDue{.kind = Stop::Kind::EventStop};

// The flags that counting leaves behind, where they are not the program's: those of the decrement that made the counter
// what it would be if it counted from far above (agent.h, kStopEvery).
std::uint64_t flags_after(std::uint64_t flags, std::uint64_t ticks) {
  constexpr std::uint64_t kParity = 0x4, kAdjust = 0x10, kZero = 0x40, kSign = 0x80, kOverflow = 0x800;
  const auto low = static_cast<std::uint8_t>(-ticks);
  flags &= ~(kParity | kAdjust | kZero | kSign | kOverflow);
  if (__builtin_popcount(low) % 2 == 0) flags |= kParity;
  if ((low & 15) == 15) flags |= kAdjust;
  return flags;
}

}  // namespace

// Where the task can work a condition out by itself it does, unless it would look at memory that others watch, or
// branch where branches are counted.
void Walker::insert_traps(Task& task) {
  struct Wanted {
    std::uint64_t at;
    const Stops::Condition* condition;
  };
  std::vector<Wanted> wanted;
  const ProgramCode code(task.space->patches);
  for (const std::uint64_t program : orders_.stops->breakpoints) {
    const auto known = orders_.stops->conditions.find(program);
    for (const std::uint64_t at : code.places(program)) {
      wanted.push_back({at, known == orders_.stops->conditions.end() ? nullptr : &known->second});
    }
  }
  std::ranges::sort(wanted, {}, &Wanted::at);
  const bool by_itself = task.area.value != 0 && !task.counter && !machine_.fence.sees_reads() &&
                         std::ranges::all_of(words_, &tracee::WatchedWord::writes_only);
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const auto [at, condition] = wanted[i];
    std::shared_ptr<const Detour> detour;
    if (by_itself && condition != nullptr && !condition->code.empty()) {
      detour = task.space->detours.around(*task.stub, task.space->memory(), at, condition->code);
    }
    const bool alone = i + 1 == wanted.size() || !detour || wanted[i + 1].at >= at + detour->displaced.size();
    machine_.insert(task, at, alone ? detour : nullptr);
  }
}

// Up to a stop that is more than a breakpoint whose condition is false. `trapped`: it is one whose condition is true.
Result<std::optional<Stop>> Walker::run_to_stop(Task& task, bool& trapped) {
  using CounterInterrupt = Machine::CounterInterrupt;
  machine_.counter_due = false;
  TMREC_TRY(auto stop, machine_.resume(task, Resume::EmulateCalls, CounterInterrupt::Stop));
  while (stop && machine_.has_trapped(task, *stop)) {
    const std::uint64_t pc = ProgramCode(task.space->patches).program_address(task.regs.rip);
    trapped = orders_.stops->stops(pc, session_, task);
    if (trapped) return stop;
    const std::uint32_t accessed = machine_.accessed;
    TMREC_TRY(const auto led_to, machine_.step_off_trap(task));
    if (led_to) return led_to;
    if (machine_.accessed != accessed) return Stop{.kind = Stop::Kind::Signal, .signal = SIGTRAP};
    if (machine_.give_up && machine_.give_up()) {
      machine_.left = true;
      return std::nullopt;
    }
    if (machine_.counter_due) return kCounterDue;
    TMREC_TRY(stop, machine_.resume(task, Resume::EmulateCalls, CounterInterrupt::Stop));
  }
  return stop;
}

// `tick`: at most up to there. Low bits of the counter that differ from those of a replay that runs through show in
// flags that the program does not use; so it is for fewer than kStopEvery ticks at a time.
Result<Walker::Moved> Walker::run_freely(Task& task, std::optional<std::uint64_t> tick) {
  const bool stops = counts(task) && orders_.stops && !orders_.stops->breakpoints.empty();
  if (first_ && orders_.skip_first && counts(task)) return step_on(task);
  if (tick && task.counter) {
    TMREC_TRY(const bool near, ask_for_interrupt(task, *tick));
    if (near) return step_on(task);
  }
  first_ = false;
  ran_ = true;
  std::uint64_t event_at = 0;
  if (tick && !task.counter) {
    const std::uint64_t even = *tick & ~(agent::kStopEvery - 1);
    TMREC_TRY(const Ticks now, session_.ticks(task));
    if (even > now.value) tick = even;
    if (*tick <= now.value) return went_past({session_.position(), Ticks(*tick), 0});
    event_at = task.counted_from;
    TMREC_CHECKED(session_.count_down(task, *tick));
  }
  if (stops) insert_traps(task);
  bool trapped = false;
  const auto stop = run_to_stop(task, trapped);
  machine_.remove_traps(task);
  if (!stop) return std::unexpected(stop.error());
  std::optional<Stop> event = *stop;
  if (!event) {  // told to leave, anywhere: on to an instruction of the program, while the counter is what it was
    TMREC_TRY(const Moved boundary, to_boundary(task));
    event = boundary.event;
  }
  const bool at_its_tick =
      tick && event && event->kind == Stop::Kind::Syscall && agent::question_of(task.regs) == agent::Question::Tick;
  if (at_its_tick) {
    TMREC_TRY(const Moved moved, at_tick(task, *tick));
    TMREC_CHECKED(session_.count_down(task, event_at));
    return moved;
  }
  if (tick && !task.counter) TMREC_CHECKED(session_.count_down(task, event_at));
  if (event && machine_.counter_due && (event->kind == kCounterDue.kind || is_counter_interrupt(task, *event))) {
    TMREC_TRY(const Moved boundary, to_boundary(task));
    if (!boundary.event) TMREC_CHECKED(came_by(task, {.kind = Hop::Kind::Regs, .stops = {}, .regs = task.regs}));
    return boundary;
  }
  if (!*stop) {
    if (!event) TMREC_CHECKED(came_by(task, {.kind = Hop::Kind::Regs, .stops = {}, .regs = task.regs}));
    return Moved{event, {}};
  }
  if (trapped) {
    TMREC_CHECKED(came_by(task, {.kind = Hop::Kind::Hits, .stops = orders_.stops, .regs = {}}));
    return Moved{{}, halt(Halt::Kind::Breakpoint, task)};
  }
  if (const auto other = Machine::moved_by(task, **stop)) return Moved{other, {}};
  if (machine_.accessed == 0) return Moved{};
  TMREC_TRY(const Moved finished, to_boundary(task));
  if (finished.event) return finished;
  const auto watch = touched();
  if (!watch) return Moved{};
  TMREC_CHECKED(came_by(task, {.kind = Hop::Kind::Hits, .stops = orders_.stops, .regs = {}}));
  Halt watched = halt(Halt::Kind::Watch, task);
  watched.watch = *watch;
  return Moved{{}, watched};
}

// In the agent, which has been told to stop the task here.
Result<Walker::Moved> Walker::at_tick(Task& task, std::uint64_t tick) {
  TMREC_TRY(const agent::Asked at, session_.asked(task));
  task.regs = at.regs;
  const tracee::PatchedModule* module = task.space->patches.with_block(at.block);
  const bool live = module == nullptr || module->plan->stops[at.stop].flags_live != 0;
  if (!live) task.regs.eflags = flags_after(task.regs.eflags, tick);
  place_ = {{session_.position(), Ticks(tick), 0}, {}};
  return Moved{};
}

// To the next tick, which has a name; code that makes none is left where it is.
Result<Walker::Moved> Walker::leave_soon(Task& task) {
  TMREC_TRY(const Moved boundary, to_boundary(task));
  if (boundary.event) return boundary;
  if (task.counter) return leave_counted(task);
  if (task.area.value != 0) {
    TMREC_TRY(const Ticks now, session_.ticks(task));
    machine_.give_up = [] { return true; };  // the next heartbeat is the last
    TMREC_TRY(const Moved moved, run_freely(task, now.value + 1));
    if (moved.event || moved.halt) return moved;
    TMREC_TRY(const Moved there, to_boundary(task));
    if (there.event) return there;
    if (place_.hops.empty() && place_.base.ticks > now) return Moved{{}, halt(Halt::Kind::Asked, task)};
  }
  TMREC_CHECKED(came_by(task, {.kind = Hop::Kind::Regs, .stops = {}, .regs = task.regs}));
  return Moved{{}, halt(Halt::Kind::Asked, task)};
}

}  // namespace tmrec::replayer
