// Moves a session along its history with care: program instruction by program instruction, with breakpoints and
// watchpoints, up to a position.
//
// Problem: the code a task executes is not the program's alone (patched text jumps to trampolines, those to the agent),
// and the replay must stay the one that is checked: events are applied as ever. Solution: a task stands still only
// where it is about to execute a program instruction, wherever that is (ProgramCode); breakpoints are traps in all
// places of an instruction, put there before a task runs and taken away when it stops, so that nothing that is read,
// hashed or patched ever sees one. To come to a tick, the counter is set to it. Rejected: traps that stay in memory
// (checks hash it, plans compare it with the original).
#pragma once

#include <functional>
#include <set>
#include <span>

#include "replayer/machine.h"
#include "replayer/place.h"
#include "replayer/program_code.h"
#include "replayer/run_control.h"
#include "replayer/session.h"
#include "tracee/debug_registers.h"

namespace tmrec::replayer {

// Why a walk ended.
struct Halt {
  enum class Kind : std::uint8_t {
    Breakpoint,
    Watch,        // `watch`: behind the instruction, or the event, that touched it
    Arrived,      // at the goal
    Stepped,      // the task has executed its instructions
    BeforeEvent,  // orders.until_event; the session is past the place, and no longer of use
    Signal,       // `signal`: at the instruction that raised it; an asynchronous one where it has taken effect
    CallBegins,   // `number`: in front of the system call
    CallReturns,  // `number`: behind it
    Executed,     // the process executes another program
    Forked,       // `child` is there, a process of its own
    End,          // of the process, which is about to exit, or of the log
    Asked,        // orders.give_up said so
  } kind = Kind::End;
  Tid task;
  Stops::Watch watch;
  int signal = 0;
  std::uint64_t number = 0;
  Tid child = {};
};

struct Orders {
  Tid process;                         // whose stops count
  std::shared_ptr<const Stops> stops;  // may be null
  bool skip_first = false;             // a breakpoint at the very place where the walk begins does not count
  std::optional<Position> goal;
  std::optional<EventNo> start_of;  // Arrived once this event has been applied
  std::optional<Tid> step;          // until this task has executed an instruction and is outside of the range
  std::uint64_t range_begin = 0, range_end = 0;
  bool one_by_one = false;  // every instruction by itself, so that each place on the way is a position
  bool until_event =
      false;  // by single steps up to the next event; place() is then that of the last instruction before
  bool report_signals = false;
  EventNo begun = {};  // a system call whose CallBegins is known
  bool ends = false;   // End in front of the process's exit
  std::uint64_t passed_signals = 0;
  // Asked now and then, at least every 100 ms while a task computes: leave at the next place that has a name.
  std::function<bool()> give_up;
};

class Walker : public RunControl {
 public:
  // At the start of what follows an event.
  explicit Walker(Session& session) : session_(session) {}
  // At a place on the way.
  Walker(Session& session, Place place) : session_(session), place_(std::move(place)), at_start_(false) {}

  Result<Halt> walk(const Orders& orders);
  Result<Place> place();
  // The same place has been found to be this position.
  void found(const Position& position) { place_ = {position, {}}; }
  Result<tracee::Stop> run(Session& session, Task& task, Nanoseconds limit) override;

 private:
  using Stop = tracee::Stop;
  // What moving a task came to. Neither: it stands where it can be moved on.
  struct Moved {
    std::optional<Stop> event;  // of which its next event can be made
    std::optional<Halt> halt;
  };

  // walker.cc
  Result<bool> stands_at_goal();
  Result<std::optional<Halt>> before_event();
  Result<std::optional<Halt>> after_event(const Event& event);
  Result<Moved> move(Task& task, bool goal_here);
  std::optional<Halt> instead_of(const Task& task, const Event& event, const Stop& stop);
  bool counts(const Task& task) const { return task.process == orders_.process; }
  Halt halt(Halt::Kind kind, const Task& task) const { return {.kind = kind, .task = task.tid, .watch = {}}; }
  // The task has come here in a way that can be repeated.
  Result<void> came_by(Task& task, Hop hop);

  // steps.cc
  Result<Moved> step_on(Task& task);
  Result<Moved> arrived_by_step(const Task& task) const;
  Result<Moved> step_program(Task& task);
  Result<Moved> to_boundary(Task& task);

  // hardware.cc
  Result<std::optional<Ticks>> tick_ahead(Task& task);
  std::unexpected<Error> went_past(const Position& goal) const;
  Moved at_counted_tick() const;
  Result<bool> ask_for_interrupt(Task& task, std::uint64_t tick);
  Result<Moved> leave_counted(Task& task);

  // runs.cc
  void insert_traps(Task& task);
  Result<std::optional<Stop>> run_to_stop(Task& task, bool& trapped);
  Result<Moved> run_freely(Task& task, std::optional<std::uint64_t> tick);
  Result<Moved> at_tick(Task& task, std::uint64_t tick);
  Result<Moved> leave_soon(Task& task);

  // watches.cc
  void prepare_watches();
  std::vector<Fence::Range> ranges() const;
  void remember();
  const Task* any_task() const;
  // `event`: what has happened, if it was no instruction.
  std::optional<Stops::Watch> touched(const Event* event = nullptr);

  Session& session_;
  Orders orders_;
  Place place_;
  bool at_start_ = true;  // nothing was executed since the last event; place_ is not known yet
  bool first_ = false;    // nothing was executed since the walk began
  bool midway_ = false;   // a tick came in the middle of the instruction that is being stepped
  bool ran_ = false;      // it came to its event without being counted
  Halt halt_;
  Machine machine_;
  std::vector<tracee::WatchedWord> words_;
  std::vector<std::size_t> word_watch_;  // which watch each word belongs to
  std::vector<Bytes> watched_;           // content of each watch
  std::set<std::uint64_t> reported_;     // events whose signal was
  std::set<std::uint64_t> begun_;        // events whose system call was, when it began
};

}  // namespace tmrec::replayer
