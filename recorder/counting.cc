// Ticks: how far a task has come in its own code, and how it is stopped there.
//
// The task counts down in its area (tracee/agent); the supervisor knows what it counted down from. The tick that makes
// the counter 0 stops the task at an exact place with its complete state: there its slice ends, and there the signals
// are delivered that came in the middle of a computation. Nothing else may change the counter while the task computes.
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <algorithm>

#include <fmt/format.h>

#include "recorder/task_life.h"
#include "tracee/agent/agent.h"
#include "tracee/instruction.h"
#include "tracee/remote_call.h"

namespace tmrec::recorder {

using tracee::Resume;
using tracee::Stop;

RemoteAddr TaskAreas::take() {
  auto free = std::find(used_.begin(), used_.end(), false);
  const auto index = static_cast<std::size_t>(free - used_.begin());
  if (index >= agent::kMaxTasks) return RemoteAddr(0);
  if (free == used_.end()) used_.push_back(false);
  used_[index] = true;
  return agent::area(index);
}

void TaskAreas::give_back(RemoteAddr area) {
  if (agent::is_area(area.value)) used_[agent::index_of_area(area)] = false;
}

void TaskAreas::keep_only(RemoteAddr area) {
  std::fill(used_.begin(), used_.end(), false);
  if (agent::is_area(area.value)) used_[agent::index_of_area(area)] = true;
}

Ticks TaskLife::ticks() {
  if (counter_) {
    if (!task_.is_stopped()) return last_ticks_;
    if (auto now = counter_->read()) last_ticks_ = *now;
  } else if (counts()) {
    if (task_.is_stopped() && counted_at_ == task_.resumed()) return last_ticks_;
    if (auto left = agent::counter(memory(), area_)) last_ticks_ = Ticks(counted_from_ - *left);
    if (task_.is_stopped()) counted_at_ = task_.resumed();
  }
  return last_ticks_;
}

// The task is stopped. It stops again after so many ticks, or few more (agent::kStopEvery).
void TaskLife::count_down(std::uint64_t least) {
  if (!counts()) return;
  const Ticks now = ticks();
  Regs regs = stopped().regs();
  if (auto back = space_->patches.before_counting(regs)) {
    regs.rip = back->value;
    stopped().set_regs(regs);
  }
  const std::uint64_t stop = agent::next_stop(now.value + least);
  if (agent::set_counter(memory(), area_, stop - now.value)) counted_from_ = stop;
  // What it may be set back to counts what it has counted once more.
  counted_at_.reset();
}

void TaskLife::stop_soon() {
  if (!stops_anywhere()) return count_down(1);
  slice_end_ = 0;
}

// A call by the task itself, at a stop where its registers can be changed; they are what they were afterwards.
std::int64_t TaskLife::call_remotely(std::int64_t number, std::initializer_list<std::uint64_t> args) {
  const Regs regs = stopped().regs();
  stands_behind_script_ = false;
  std::vector<siginfo_t> arrived;
  const std::int64_t result = tracee::recorded_call(stopped(), memory(), *space_->call_gadget, number, args, &arrived);
  stopped().set_regs(regs);
  for (const siginfo_t& info : arrived) {
    if (!is_interrupt(info)) defer(info);
  }
  return result;
}

// Several, up to the first that fails. By the agent it takes one stop, after which a signal can't be delivered unseen
// (live()).
std::vector<std::int64_t> TaskLife::call_in_a_row(std::span<const tracee::WantedCall> calls) {
  std::vector<std::int64_t> results;
  if (dispatched_ && (stopped().signal_mask() >> (SIGSYS - 1) & 1) == 0) {
    std::vector<siginfo_t> arrived;
    for (bool go_on = true; go_on && !calls.empty();) {
      const auto some = calls.first(std::min(calls.size(), agent::kMostScriptCalls));
      const auto made = tracee::recorded_calls(stopped(), memory(), some, arrived);
      results.insert(results.end(), made.begin(), made.end());
      calls = calls.subspan(some.size());
      go_on = made.size() == some.size() && !tracee::is_error(made.back());
    }
    stands_behind_script_ = true;
    conducts_ = true;  // as far as its memory says
    for (const siginfo_t& info : arrived) {
      if (!is_interrupt(info)) defer(info);
    }
    return results;
  }
  for (const tracee::WantedCall& call : calls) {
    const auto& a = call.args;
    results.push_back(call_remotely(static_cast<std::int64_t>(call.number), {a[0], a[1], a[2], a[3], a[4], a[5]}));
    if (tracee::is_error(results.back())) break;
  }
  return results;
}

void TaskLife::map_agent() {
  if (!session_.options().count_ticks || !space_->call_gadget) return;
  constexpr std::uint64_t kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
  std::int64_t at = call_remotely(SYS_mmap, {agent::kBase, agent::kSize, PROT_READ | PROT_WRITE, kFlags, ~0ull, 0});
  if (at != static_cast<std::int64_t>(agent::kBase)) {
    session_.note("no room for the agent: ticks are not counted");
    return;
  }
  const RemoteAddr area = space_->areas.take();
  const Ticks first(session_.loop().policy().first_ticks());
  if (!agent::install(memory()) || !prepare_counter(memory(), area, first)) return;
  call_remotely(SYS_mprotect, {agent::kBase, agent::kExecutable, PROT_READ | PROT_EXEC});
  Regs regs = stopped().regs();
  regs.gs_base = area.value;
  stopped().set_regs(regs);
  begin_counting(area, first);
}

bool TaskLife::prepare_counter(const tracee::RemoteMemory& memory, RemoteAddr area, Ticks first) {
  return agent::prepare_area(memory, area, agent::next_stop(first.value + session_.slice()) - first.value);
}

void TaskLife::begin_counting(RemoteAddr area, Ticks ticks) {
  area_ = area;
  last_ticks_ = ticks;
  counted_at_.reset();
  auto left = agent::counter(memory(), area);
  counted_from_ = ticks.value + left.value_or(0);
}

std::chrono::nanoseconds TaskLife::without_tick(std::chrono::steady_clock::time_point now) {
  const auto left = !counter_ && counts() && task_.is_computing() ? agent::counter(memory(), area_) : std::nullopt;
  if (left && *left == seen_count_) return now - seen_at_;
  seen_count_ = left.value_or(0);
  seen_at_ = now;
  return {};
}

void TaskLife::stand_at(const Regs& regs) { boundary_ = {regs, ticks(), false}; }

// A loop may bring the same registers back: only the ticks tell.
bool TaskLife::is_at_boundary(const Regs& now) { return now == boundary_.regs && ticks() == boundary_.ticks; }

bool TaskLife::answer_agent(const Regs& at_call) {
  if (!counts()) return false;
  switch (agent::question_of(at_call)) {
    case agent::Question::None:
      return false;
    case agent::Question::Tick:
      on_tick(at_call);
      return true;
    case agent::Question::Special:
      on_special_instruction(at_call);
      return true;
    case agent::Question::Call: {
      // The agent has been told meanwhile to leave calls alone: the task goes on in front of its own.
      auto asked = agent::program_state(memory(), space_->patches, area_, at_call);
      if (!asked) throw sched::EndRecording{fmt::format("task {} has lost its area", tid())};
      leave_agent(asked->regs);
      signal_ = 0;
      return true;
    }
    case agent::Question::Returned:
      signal_ = 0;
      on_return(at_call);
      return true;
    case agent::Question::Baton:
      signal_ = 0;
      goes_on_in_agent_ = true;
      task_.run(Resume::ToSyscall);
      return true;
    case agent::Question::Script:
      break;  // seen where it was asked for
  }
  return false;
}

// The call that asked is swallowed. Before it is left the task has the program's state, so that nothing is lost should
// the supervisor be killed here. A seccomp filter judges the number -1 as any other, and what it answers is taken back:
// those of containers say EPERM to whatever they do not know.
void TaskLife::leave_agent(const Regs& program) {
  stopped().set_regs(program);
  if (!at_dispatch_) {
    task_.run(Resume::ToSyscall);
    stopped().set_regs(program);
  }
  stand_at(program);
  at_syscall_ = false;
}

void TaskLife::on_tick(const Regs& at_call) {
  auto asked = agent::program_state(memory(), space_->patches, area_, at_call);
  if (!asked) throw sched::EndRecording{fmt::format("task {} came from a trampoline that is not there", tid())};
  leave_agent(asked->regs);
  signal_ = 0;
  if (!deferred_.empty() || task_.others_wait() || session_.start_due()) {
    log_tick(asked->regs);
  } else {
    boundary_.unlogged_tick = true;
  }
  count_down(session_.slice());
  if (!deferred_.empty()) {
    signal_ = take_deferred(asked->regs);
  } else if (at_event_) {
    task_.yield(SwitchEvent::Reason::SliceEnd);
  }
}

void TaskLife::log_tick(const Regs& regs) {
  session_.append(tid(), TickEvent{regs});
  boundary_.unlogged_tick = false;
  at_event_ = true;
}

void TaskLife::on_special_instruction(const Regs& at_call) {
  auto asked = agent::program_state(memory(), space_->patches, area_, at_call);
  if (!asked) throw sched::EndRecording{fmt::format("task {} came from a trampoline that is not there", tid())};
  signal_ = 0;
  const tracee::PatchedModule& module = *space_->patches.with_block(asked->block);
  InstructionEvent event =
      tracee::answer_special(module, module.plan->stops[asked->stop], asked->regs, tsc_mode_ == PR_TSC_SIGSEGV);
  session_.options().baseline.limit(event);
  session_.note(tracee::name_of(event.kind));
  leave_agent(event.after);
  session_.append(tid(), std::move(event));
  at_event_ = true;
  if (!deferred_.empty()) stop_soon();
}

}  // namespace tmrec::recorder
