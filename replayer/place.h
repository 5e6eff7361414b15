// Where a replay is.
//
// Registers alone don't name a place: `call f; call f` repeats all of them. Events, ticks and instructions since then
// do; but a replay that runs into a breakpoint has counted no instructions since the last tick. So a place is a
// position and what was done from there on, all within one tick; doing that again in single steps gives the position.
#pragma once

#include <algorithm>
#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "format/regs.h"
#include "format/types.h"

namespace tmrec::replayer {

class Session;
struct Task;

// Exactly one instruction of the run: the events before it, the ticks that the task of the next event has made, and the
// program instructions it has executed since the last of both.
struct Position {
  EventNo event;
  Ticks ticks;
  std::uint64_t steps = 0;
  friend auto operator<=>(const Position&, const Position&) = default;
};

// What stops a replay on its way. Program addresses.
struct Stops {
  struct Watch {
    // Store: also a write of what was there already.
    enum class Kind : std::uint8_t { Write, Read, Access, Store } kind = Kind::Write;
    RemoteAddr at;
    std::uint64_t size = 1;
    friend bool operator==(const Watch&, const Watch&) = default;
  };
  std::vector<std::uint64_t> breakpoints;  // sorted
  // Of breakpoints that stop only when this is true of the task that stands there.
  struct Condition {
    std::function<bool(Session&, Task&)> holds;
    std::vector<std::uint8_t> code;  // for the task to work it out (gdbstub/agent_code.h); empty: it can't
  };
  std::map<std::uint64_t, Condition> conditions;
  std::vector<Watch> watches;
  std::optional<std::vector<std::uint64_t>> calls;  // system calls; an empty list: all
  std::optional<std::vector<Tid>> births;           // of processes other than these

  bool empty() const { return breakpoints.empty() && watches.empty() && !calls && !births; }
  bool catches_birth(Tid process) const { return births && std::ranges::find(*births, process) == births->end(); }
  bool catches(std::uint64_t call) const {
    return calls && (calls->empty() || std::ranges::find(*calls, call) != calls->end());
  }
  bool has(std::uint64_t program) const { return std::ranges::binary_search(breakpoints, program); }
  // There is a breakpoint where the task stands, at this address, and it is to stop.
  bool stops(std::uint64_t program, Session& session, Task& task) const {
    if (!has(program)) return false;
    const auto condition = conditions.find(program);
    return condition == conditions.end() || condition->second.holds(session, task);
  }
};

// A way from a position to a later one in the same tick.
struct Hop {
  enum class Kind : std::uint8_t {
    Hits,   // up to a stop, which may be where it begins
    Steps,  // `count` instructions
    Event,  // up to the instruction that leads to the next event
    Regs,   // up to these registers
  } kind = Kind::Steps;
  std::uint64_t count = 1;
  std::shared_ptr<const Stops> stops;  // Hits
  Regs regs;                           // Regs
};

struct Place {
  Position base;
  std::vector<Hop> hops;  // none: the base itself
};

}  // namespace tmrec::replayer
