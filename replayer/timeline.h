// The run as a line on which one can go anywhere.
//
// Problem: a replay only runs forwards. Solution: checkpoints, copies of the session at earlier positions (fork.cc);
// any position is reached by a copy of the nearest one before it that runs on. What happened before a position is found
// by running the stretch from a checkpoint up to it once, noting every stop on the way, and again up to the last one;
// without any, the stretch before is searched. spacing.h says which checkpoints are kept. Rejected: logging undo
// information, which costs at every write.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <set>
#include <vector>

#include "replayer/walker.h"

namespace tmrec::replayer {

class Timeline {
 public:
  // A replay at its beginning. `log`: another reader of the same log.
  Timeline(std::unique_ptr<Session> session, LogReader log);

  Session& session() { return *now_.session; }
  Result<Place> place() { return now_.walker->place(); }
  // Where the session is. Searched for, if need be.
  Result<Position> position();

  // What follows may be gone back to, up to here.
  Result<void> begin_here();
  // Whose stops count, and how far back: to the start of what follows this event.
  void concern(Tid process, EventNo since);

  Result<Halt> forward(const Orders& orders);
  // To the last stop before; nullopt: there is none, and the session is at the beginning. Asked: it stays where it is.
  Result<std::optional<Halt>> backward(std::shared_ptr<const Stops> stops, const std::function<bool()>& give_up);
  // A stop on the way, and where: in front of the instruction that leads to it.
  struct Sighting {
    Position at;
    Halt halt;
  };
  // Where backward() would go to; the session stays where it is. nullopt: there is none. Asked: not known.
  Result<std::optional<Sighting>> sighted_before(std::shared_ptr<const Stops> stops,
                                                 const std::function<bool()>& give_up);
  // To where this task has executed one instruction less.
  Result<std::optional<Halt>> step_back(Tid task, const std::function<bool()>& give_up);
  // False: give_up said so, and it stays where it is.
  Result<bool> seek(const Position& position, const std::function<bool()>& give_up = {});
  Result<bool> seek_start(EventNo after, const std::function<bool()>& give_up = {});

  // What is known of an event without replaying it.
  struct Brief {
    Tid task;
    Ticks ticks;
    bool runs = false;     // its task executes instructions to come to it
    bool sets = false;     // its task goes on elsewhere (motion.h)
    bool at_tick = false;  // at the first instruction with its count
    std::uint64_t time_ns = 0;
  };
  // nullptr: the log has no such event. Of those that were dropped nothing is known.
  Result<const Brief*> brief(EventNo event);
  // Called once for each event that is read for brief().
  std::function<void(const Event&)> on_read;
  std::size_t checkpoints() const { return checkpoints_.size(); }

 private:
  // A session, and where it is.
  struct Live {
    std::unique_ptr<Session> session;
    std::unique_ptr<Walker> walker;
    std::uint64_t cost_ns = 0;  // to come here from the beginning
  };
  struct Checkpoint {
    Position position;
    std::unique_ptr<Session> session;
    std::uint64_t cost_ns = 0;
  };

  Result<Halt> walk(Live& live, Orders orders);
  Result<void> keep(Live& live);
  // A copy of the last checkpoint at or before the position.
  Result<Live> restore(const Position& position);
  Result<bool> go(Live& live, const Position& goal, const std::function<bool()>& give_up);
  Result<bool> approach(Live& live, const Position& goal, const std::function<bool()>& give_up);
  struct Gaps {
    std::uint64_t before, behind;  // ns
  };
  Result<Gaps> gaps(const Live& live) const;
  Result<void> keep_if_far(Live& live);
  Result<Live> copy(const Live& live);
  // The last stop from where `live` is up to `end`.
  struct Found {
    Place place;
    Halt halt;
  };
  Result<std::optional<Found>> last_stop(Live live, Position end, Orders orders);
  Result<std::optional<Position>> between(const Position& from, const Position& to);
  Result<Position> locate(const Place& place, const std::function<bool()>& give_up);
  Result<void> hop(Live& live, const Hop& hop);
  Result<Halt> step(Live& live, Tid task);
  Result<void> stand_in_front_of_call(const std::function<bool()>& give_up);
  Result<std::optional<Position>> previous(const Position& position, Tid task, const std::function<bool()>& give_up);
  Result<std::optional<Position>> previous_in_tick(const Position& position, Tid task,
                                                   const std::function<bool()>& give_up);
  Result<Position> last_before(EventNo event, const std::function<bool()>& give_up);
  Result<Live> live_behind(EventNo event, const Position& nearest, const std::function<bool()>& give_up);
  void note_call(const Event& event);

  Live now_;
  std::vector<Checkpoint> checkpoints_;  // in the order of positions
  LogReader log_;
  std::vector<Brief> briefs_;
  std::uint64_t before_ = 0;  // events that the log does not have any more
  std::set<Tid> in_call_;     // behind the last of briefs_
  bool in_gap_ = false;       // likewise
  Position begin_;
  EventNo floor_;  // of the process that is concerned
  std::chrono::nanoseconds fork_took_{};
  bool given_up_ = false;  // while backward() searches
  Tid process_;
};

}  // namespace tmrec::replayer
