// Gaps: what was recorded can't be replayed any more, and goes on all the same.
//
// Problem: a task computes in code that counts no ticks (made at run time, or left alone), while another one or a
// signal has waited for it for a second. To stop it is to stop it where no replay finds it, and to let it go on starves
// the service. Solution: it is stopped anyway, wherever it is, and the log says that there is a gap (GapEvent). All
// others are brought to rest, each behind an event of its own: they are interrupted, calls that wait are made again
// later, and whoever comes to the top of his life holds still there. When all do, a starting point is taken
// (starting.cc), and replay goes on from it. Rejected: ending the recording, which loses what comes after; a starting
// point at the moment of the stop itself, for which the state of those that sleep within the agent would have to be put
// together from its records.
#include <algorithm>
#include <chrono>

#include <fmt/format.h>

#include "recorder/session.h"
#include "recorder/task_life.h"
#include "tracee/agent/agent.h"

namespace tmrec::recorder {

namespace {

// Each costs as much disk as the program has memory.
constexpr unsigned kMostGaps = 64;
constexpr std::chrono::seconds kPatience(3);

}  // namespace

// False: there is none that could be begun, or the one that was takes too long.
bool Session::begin_gap(pid_t by, const std::string& why) {
  const auto now = Clock::now();
  if (gap_) return now - gap_->since < kPatience;
  if (gaps_ >= kMostGaps) return false;
  gap_ = Gap{by, why, now, {}};
  for (const auto& [tid, life] : lives_) life->come_to_rest();
  return true;
}

// Its task stands somewhere.
void Session::open_gap() {
  gap_->event = append(gap_->by, GapEvent{gap_->why});
  note(fmt::format("gap: {}; the events from {} on can't be replayed, up to the next starting point", gap_->why,
                   gap_->event.value));
}

// One that does not hold still; 0: all do.
pid_t Session::busy() const {
  const auto found = std::ranges::find_if(lives_, [](const auto& entry) { return !entry.second->holds_still(); });
  return found == lives_.end() ? 0 : found->first;
}

void Session::check_gap() {
  if (!gap_ || gap_->event.value == 0 || Clock::now() - gap_->since <= kPatience) return;
  throw sched::EndRecording{fmt::format("{}; it was stopped, but task {} does not come to rest for a starting point",
                                        gap_->why, busy() == 0 ? gap_->by : busy())};
}

bool Session::bridge_gap(pid_t by) {
  if (!gap_ || gap_->event.value == 0) return !gap_;
  if (busy() != 0) return false;
  if (start_writing_.valid()) start_writing_.wait();
  StartEvent start;
  std::vector<StartMemory> snapshots;
  if (!gather_start(by, start, snapshots)) return false;
  const EventNo number(log_->last().value + 1);
  if (ring_) ring_->begin(std::chrono::nanoseconds(now_ns()), true);
  append(by, std::move(start));
  if (ring_) {
    write_start(number, std::move(snapshots));
  } else {
    for (auto& [snapshot, copy] : snapshots) {
      const auto path = trace_.snapshot(TraceDir::snapshot_name(number, snapshot.task));
      if (!path) throw sched::EndRecording{path.error().text};
      write_later(std::move(snapshot), std::move(copy), *path);
    }
  }
  note(fmt::format("gap bridged, at event {}", number.value));
  ++gaps_;
  cancel_gap();
  return true;
}

void Session::cancel_gap() {
  gap_.reset();
  loop_.wake_resting();
}

void TaskLife::come_to_rest() {
  if (task_.is_stopped()) return;
  interrupted_by_us_ = true;
  task_.interrupt_if_running();
  ask_soon();
}

// The task has been stopped for a gap. Where replay knows its place, or will, none is needed.
void TaskLife::open_gap(const tracee::Stop& stop) {
  const Regs here = stopped().regs();
  const bool anywhere = stop.kind == tracee::Stop::Kind::EventStop && !begun_ && !agent::is_code(here.rip) &&
                        space_->patches.is_original(here.rip);
  if (!anywhere) return session_.cancel_gap();
  session_.open_gap();
  stand_at(here);
  at_syscall_ = false;
}

// Until everything that is recorded stands where its last event has left it, and is known. Returns the signal to resume
// with.
int TaskLife::hold_still(int signal) {
  const Regs here = stopped().regs();
  if (begun_ || agent::is_code(here.rip)) {
    ask_soon();
    return signal;
  }
  const bool is_its_own = session_.gap_of() == tid();
  holds_still_ = true;
  while (!session_.bridge_gap(tid())) task_.rest();
  holds_still_ = false;
  interrupted_by_us_ = false;
  return is_its_own && signal == 0 ? give_turn(here) : signal;
}

}  // namespace tmrec::recorder
