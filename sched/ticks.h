// The interface of a tick source: what counts the progress of a task between events, and brings a task that is replayed
// to the place where something happened.
//
// There are two kinds. "software" counts passages through patched tick sites in the program's own memory and stops
// exactly there: recorder and replayer have that themselves (recorder/counting.cc). All others are behind this
// interface: "pmu" counts retired conditional branches in hardware; its interrupts come late, so a place is reached by
// an early interrupt, a breakpoint and single steps (arrival.h). A trace names the one it was recorded with, and
// replays with no other: they count different things. Which one is chosen, and why, is decided in tick_sources.h.
//
// A place is named by (ticks, instructions since that tick, registers). Registers alone don't do: `call f; call f`
// repeats all of them. Ticks alone don't do for a source that stops anywhere.
#pragma once

#include <csignal>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "format/regs.h"
#include "format/result.h"
#include "format/types.h"
#include "tracee/remote_memory.h"
#include "tracee/task_handle.h"

namespace tmrec::sched {

struct KnownWord {
  RemoteAddr at;
  std::uint64_t value = 0;
};

// A place in the run of one task, between two events.
struct TickTarget {
  Ticks ticks;
  Regs regs;  // orig_rax and the trap and resume flags don't matter

  // Instructions executed there since the count became `ticks`, or since the place where the arrival begins when the
  // count is `ticks` there already. A `rep` string instruction is one. nullopt: not known; then the first place is
  // taken that has the count, the registers and the word.
  std::optional<std::uint64_t> instructions;

  // Where execution was when the count became `ticks`. Not needed with instructions == 0 (it is regs.rip then); without
  // it, any other number of instructions is reached by single steps alone, which is slow.
  std::optional<RemoteAddr> tick_address;

  // Tells places with equal count and registers apart, for instructions == nullopt.
  std::optional<KnownWord> word;
};

struct Arrived {
  std::vector<int> held;          // signals from elsewhere that stopped the task on the way and were not delivered
  std::uint64_t breakpoints = 0;  // stops and steps it took
  std::uint64_t steps = 0;
};

// Why a task is not where it should be. A value: the caller decides whether it is a desync, or worth another attempt
// from an earlier checkpoint.
struct MissedTarget {
  enum class Reason : std::uint8_t {
    AlreadyPast,   // the count was larger at the start
    SkiddedPast,   // the interrupt came later than the bound allows. An attempt with a larger bound can succeed
    NotVisited,    // the count went past the target and the place was not visited: a desync
    WrongState,    // it was, with other registers: a desync
    SystemCall,    // a system call came first: a desync
    Fault,         // a synchronous signal came first: a desync
    Ended,         // the task died
    NoProgress,    // nothing happened for too long
    CounterFailed  // the counter or a debug register could not be read or set
  } reason = Reason::NotVisited;
  Ticks ticks;       // at the place it stands in
  RemoteAddr rip;    // likewise
  int signal = 0;    // Fault
  std::string text;  // one line, with all of this
};

using Arrival = std::expected<Arrived, MissedTarget>;

// The task as a source drives it; the loop's fiber of the task implements it.
class TaskControl {
 public:
  virtual ~TaskControl() = default;
  virtual tracee::Stopped& stopped() = 0;
  virtual const tracee::RemoteMemory& memory() = 0;
  // Resumes, keeping the baton, until the next stop.
  virtual tracee::Stop run(tracee::Resume how, int signal) = 0;
  // Whether the step that was done last must be told even where only a run was asked for: it has touched what is
  // watched.
  virtual bool must_tell_of_step() { return false; }
};

// The count of one task. It ends with the object.
class TickCounter {
 public:
  virtual ~TickCounter() = default;

  // The task is stopped. An error says that the count can't be relied upon any more.
  virtual Result<Ticks> read() = 0;

  // From now on (the task is stopped), stops the task when it has made that many ticks more: at the earliest there, and
  // at the latest TickSource::skid_bound() ticks later. Replaces what was asked for before; 0: no interrupt.
  virtual Result<void> interrupt_after(std::uint64_t ticks) = 0;

  // Whether a signal-delivery stop is this source's own; such a signal is never delivered.
  virtual bool is_interrupt(const siginfo_t& info) const = 0;

  // The task as the counter's is resumed by this: a source that must see every instruction does it step by step.
  virtual tracee::Stop run(TaskControl& task, tracee::Resume how, int signal) { return task.run(how, signal); }

  // To the place exactly, and never beyond it. The task is stopped, in user mode, between two events.
  virtual Arrival arrive(TaskControl& task, const TickTarget& target) = 0;
};

class TickSource {
 public:
  virtual ~TickSource() = default;

  // For the manifest: "pmu:intel-golden-cove". Equal names count alike.
  virtual std::string name() const = 0;

  // In ticks. 0: interrupts come exactly at the tick asked for.
  virtual std::uint64_t skid_bound() const = 0;

  // Starts counting for a task that is stopped and has made `from` ticks.
  virtual Result<std::unique_ptr<TickCounter>> start(tracee::Stopped& task, Ticks from) = 0;
};

}  // namespace tmrec::sched
