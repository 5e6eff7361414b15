// Brings a task to an exact place with a counter whose interrupts come late.
//
// The problem: an interrupt asked for at count N stops the task somewhere in N ... N + bound, and a breakpoint stops it
// at every visit of an address, not at the one that is meant. The solution, in three parts:
//   far   ask for an interrupt at target - bound - 1, so that the task stands before the target whatever the skid
//   near  breakpoint (a debug register: it changes no code) at the first instruction of the target's tick; the first
//   hit
//         at the target's count is the beginning of that tick, since every visit hits and no earlier one has that
//         count. Without that address: single steps up to the tick
//   last  as many single steps as the target is instructions away from its tick
// A target whose number of instructions is not known is the first visit with its count, registers and memory word.
//
// Rejected: stepping all the way from the interrupt (a step costs 24-105 us, and on AMD the bound is 10,000 branches);
// comparing registers alone (two calls of one function repeat them); counting instructions in hardware (interrupts and
// faults add to that count).
//
// Pure logic: the machine is a template parameter, so that tests run it against a simulated CPU.
#pragma once

#include <fmt/format.h>

#include <concepts>
#include <cstdint>
#include <optional>
#include <utility>

#include "sched/ticks.h"

namespace tmrec::sched {

struct ArrivalStop {
  enum class Kind : std::uint8_t {
    Interrupt,   // the counter's own, perhaps one asked for earlier
    Breakpoint,  // before the instruction at the address
    Stepped,     // an instruction was executed
    Signal,      // another signal, from outside; not delivered
    Fault,       // a signal by what the program did
    GroupStop,   // by job control
    Syscall,     // at a system call, which is not performed
    Ended,
    TimedOut,
    NoBreakpoint,  // it could not be set
  } kind = Kind::Ended;
  int signal = 0;
};

// run() goes on until something happens and executes at least one instruction before a breakpoint counts, so that it
// leaves a breakpoint it stands on. step() executes one instruction (Stepped), or none (everything else).
template <class M>
concept ArrivalMachine =
    requires(M& machine, std::uint64_t ticks, std::optional<RemoteAddr> breakpoint, RemoteAddr at) {
      { machine.ticks() } -> std::same_as<Result<Ticks>>;
      { machine.regs() } -> std::convertible_to<Regs>;
      { machine.word(at) } -> std::same_as<std::optional<std::uint64_t>>;
      { machine.interrupt_after(ticks) } -> std::same_as<Result<void>>;  // as TickCounter's
      { machine.run(breakpoint) } -> std::same_as<ArrivalStop>;
      { machine.step() } -> std::same_as<ArrivalStop>;
    };

// Whether registers name the same place. orig_rax belongs to system calls; TF and RF are the debugger's.
inline bool same_place(Regs a, Regs b) {
  constexpr std::uint64_t kTrapAndResume = 1u << 8 | 1u << 16;
  a.orig_rax = b.orig_rax = 0;
  a.eflags &= ~kTrapAndResume;
  b.eflags &= ~kTrapAndResume;
  return a == b;
}

struct ArrivalLimits {
  std::uint64_t skid_bound = 0;
  std::uint64_t stops = 2'000'000;  // steps and breakpoints: a minute or two; then NoProgress
};

template <ArrivalMachine M>
class ArrivalWalk {
 public:
  ArrivalWalk(M& machine, const TickTarget& target, ArrivalLimits limits)
      : machine_(machine), target_(target), limits_(limits) {}

  Arrival go() {
    if (look() && now_ > target_.ticks) miss(Reason::AlreadyPast, "stood past the target already");
    const bool same_tick = !missed_ && now_ == target_.ticks;
    if (!missed_ && !same_tick) approach();
    if (!missed_) {
      if (!target_.instructions) {
        first_match();
      } else {
        if (!same_tick) to_tick();
        if (!missed_) count_steps(*target_.instructions);
        if (!missed_ && !same_place(regs_, target_.regs)) miss(Reason::WrongState, "arrived with other registers");
      }
    }
    interrupt_after(0);
    if (missed_) return std::unexpected(std::move(*missed_));
    return std::move(arrived_);
  }

 private:
  using Kind = ArrivalStop::Kind;
  using Reason = MissedTarget::Reason;

  // Until the target is at most bound + 1 ticks away, and at least one.
  void approach() {
    // Counters can't be asked for less than two events ahead (Linux, x86_perf_event_set_period).
    constexpr std::uint64_t kShortest = 2;
    while (!missed_ && left() > limits_.skid_bound + kShortest) {
      if (!interrupt_after(left() - limits_.skid_bound - 1)) return;
      if (!handle(machine_.run(std::nullopt))) return;
      if (now_ >= target_.ticks) miss(Reason::SkiddedPast, "an interrupt came later than the bound allows");
    }
  }

  // To the first instruction with the target's count.
  void to_tick() {
    const bool at_once = *target_.instructions == 0;
    const std::optional<RemoteAddr> address = at_once ? RemoteAddr(target_.regs.rip) : target_.tick_address;
    if (!address) return step_to_tick();
    while (!missed_) {
      if (now_ == target_.ticks) {
        // An interrupt can be seen before the breakpoint at the same instruction; elsewhere the tick began without it.
        if (RemoteAddr(regs_.rip) != *address) miss(Reason::NotVisited, "the tick began at another address");
        return;
      }
      run_to(*address);
    }
  }

  void step_to_tick() {
    if (!interrupt_after(0)) return;
    while (!missed_ && now_ < target_.ticks) step();
  }

  void first_match() {
    while (!missed_ && !matches()) run_to(RemoteAddr(target_.regs.rip));
  }

  bool matches() {
    if (now_ != target_.ticks || !same_place(regs_, target_.regs)) return false;
    return !target_.word || machine_.word(target_.word->at) == target_.word->value;
  }

  void count_steps(std::uint64_t instructions) {
    if (instructions == 0 || !interrupt_after(0)) return;
    for (std::uint64_t i = 0; i < instructions && !missed_; ++i) {
      step();
      if (!missed_ && now_ != target_.ticks) miss(Reason::NotVisited, "the tick ended before the target");
    }
  }

  // To the next stop, at the latest some way past the target.
  void run_to(RemoteAddr address) {
    if (used_up() || !interrupt_after(left() + 1) || !handle(machine_.run(address))) return;
    if (now_ > target_.ticks) miss(Reason::NotVisited, "went past the target without visiting it");
  }

  void step() {
    while (!missed_ && !used_up()) {
      const ArrivalStop stop = machine_.step();
      if (!handle(stop) || stop.kind == Kind::Stepped) return;
    }
  }

  bool used_up() {
    if (arrived_.steps + arrived_.breakpoints < limits_.stops) return false;
    miss(Reason::NoProgress, "took too many steps");
    return true;
  }

  // Takes note of a stop; false when it ends the walk.
  bool handle(const ArrivalStop& stop) {
    if (stop.kind == Kind::Ended) {
      missed_ = MissedTarget{Reason::Ended, now_, RemoteAddr(regs_.rip), 0, "the task ended on the way"};
      return false;
    }
    if (!look()) return false;
    switch (stop.kind) {
      case Kind::Interrupt:
        break;
      case Kind::Breakpoint:
        ++arrived_.breakpoints;
        break;
      case Kind::Stepped:
        ++arrived_.steps;
        break;
      case Kind::Signal:
        arrived_.held.push_back(stop.signal);
        break;
      case Kind::Fault:
        miss(Reason::Fault, fmt::format("signal {} came first", stop.signal), stop.signal);
        break;
      case Kind::Syscall:
        miss(Reason::SystemCall, "a system call came first");
        break;
      case Kind::TimedOut:
        miss(Reason::NoProgress, "nothing happened for too long");
        break;
      case Kind::NoBreakpoint:
        miss(Reason::CounterFailed, "no debug register could be set");
        break;
      case Kind::GroupStop:
      case Kind::Ended:
        break;
    }
    return !missed_;
  }

  bool look() {
    regs_ = machine_.regs();
    Result<Ticks> ticks = machine_.ticks();
    if (!ticks) {
      miss(Reason::CounterFailed, ticks.error().text);
      return false;
    }
    now_ = *ticks;
    return true;
  }

  bool interrupt_after(std::uint64_t ticks) {
    if (auto set = machine_.interrupt_after(ticks); !set && !missed_) miss(Reason::CounterFailed, set.error().text);
    return !missed_;
  }

  std::uint64_t left() const { return target_.ticks.value - now_.value; }

  void miss(Reason reason, const std::string& what, int signal = 0) {
    missed_ = MissedTarget{reason, now_, RemoteAddr(regs_.rip), signal,
                           fmt::format("on the way to tick {} at {:#x}: {}, at tick {} and {:#x}", target_.ticks.value,
                                       target_.regs.rip, what, now_.value, regs_.rip)};
  }

  M& machine_;
  const TickTarget& target_;
  const ArrivalLimits limits_;
  Ticks now_;
  Regs regs_;
  Arrived arrived_;
  std::optional<MissedTarget> missed_;
};

// From where the machine stands to the target, exactly.
template <ArrivalMachine M>
Arrival arrive(M& machine, const TickTarget& target, ArrivalLimits limits) {
  return ArrivalWalk<M>(machine, target, limits).go();
}

// What became of a task that was interrupted anywhere.
struct Settled {
  // Set: the task stands at the first instruction of a tick, a place that is found again fast. Otherwise `stop` came
  // first (a system call, a fault: a place as good), or no tick within the limit: `instructions` is not known.
  std::optional<TickTarget> place;
  std::optional<ArrivalStop> stop;
  std::vector<int> held;
};

// For the recorder: steps an interrupted task on to where its next tick begins, at most `limit` instructions. Without a
// tick by then the place is the one it stands in, named by registers.
template <ArrivalMachine M>
Result<Settled> settle(M& machine, std::uint64_t limit = 2000) {
  Settled settled;
  TMREC_CHECKED(machine.interrupt_after(0));
  TMREC_TRY(const Ticks before, machine.ticks());
  for (std::uint64_t steps = 0; steps < limit;) {
    const ArrivalStop stop = machine.step();
    switch (stop.kind) {
      case ArrivalStop::Kind::Stepped:
        ++steps;
        break;
      case ArrivalStop::Kind::Signal:
        settled.held.push_back(stop.signal);
        continue;
      case ArrivalStop::Kind::Interrupt:
      case ArrivalStop::Kind::Breakpoint:
        continue;
      default:
        settled.stop = stop;
        return settled;
    }
    TMREC_TRY(const Ticks now, machine.ticks());
    if (now != before) {
      settled.place =
          TickTarget{.ticks = now, .regs = machine.regs(), .instructions = 0, .tick_address = {}, .word = {}};
      return settled;
    }
  }
  settled.place =
      TickTarget{.ticks = before, .regs = machine.regs(), .instructions = {}, .tick_address = {}, .word = {}};
  return settled;
}

}  // namespace tmrec::sched
