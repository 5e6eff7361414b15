#include "recorder/task_life.h"

#include <linux/futex.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "recorder/give_back.h"
#include "recorder/memory_check.h"
#include "tracee/interrupted.h"
#include "tracee/proc.h"

namespace tmrec::recorder {

using sched::TaskEnding;
using tracee::Resume;
using tracee::Stop;

TaskLife::TaskLife(Session& session, sched::LoopTask& task, std::shared_ptr<Process> process,
                   std::shared_ptr<AddressSpace> space, Birthright inherited)
    : session_(session),
      task_(task),
      process_(std::move(process)),
      space_(std::move(space)),
      clear_child_tid_(inherited.clear_child_tid),
      affinity_(inherited.affinity),
      tsc_mode_(inherited.tsc_mode),
      tsc_traps_(inherited.tsc_traps) {
  last_ticks_ = inherited.first_ticks;
  if (inherited.area.value != 0) begin_counting(inherited.area, inherited.first_ticks);
}

void TaskLife::live(bool at_exec) {
  try {
    if (!at_exec && !joined_) start_counter(last_ticks_);
    if (!joined_) stand_at(stopped().regs());
    if (at_exec) enter_program(0);
    if (!at_exec && !joined_ && is_prepared()) consider_agent();
    int signal = first_stop_ ? handle(*first_stop_) : 0;
    for (;;) {
      at_event_ = false;
      if (session_.has_gap()) signal = hold_still(signal);
      // From there one would be delivered unseen: one at a call is as good as any.
      if (signal != 0 && stands_behind_script_) call_remotely(SYS_gettid, {});
      stands_behind_script_ = false;
      settle_tsc();
      const Resume how = conduct();
      const bool waits = std::exchange(begins_wait_, false);
      Stop stop = waits ? task_.wait_without_baton(!deferred_.empty() || session_.has_gap()) : run_program(how, signal);
      while (has_met_probe(stop)) stop = task_.run(Resume::Continue);  // to that signal
      take_records();
      if (begun_) leave_wait(stop);
      if (session_.wants_gap_of(tid())) open_gap(stop);
      signal = handle(stop);
      if (at_event_ && session_.check_due()) check_memory();
      if (at_event_ && session_.start_due() && !session_.has_gap()) session_.take_start(tid());
      if (at_event_ && signal == 0) wait_for_children();
    }
  } catch (const TaskEnding&) {
  } catch (const tracee::TaskDied&) {
  }
  end_of_life();
}

void TaskLife::stand_joined(const Regs& regs, const Stop& stop, std::vector<siginfo_t> arrived) {
  joined_ = tsc_traps_ = true;
  if (tracee::is_interrupted(regs) || stop.kind == Stop::Kind::GroupStop) {
    const Stop now = tracee::stand_interrupted(stopped(), regs, arrived);
    if (now.kind == Stop::Kind::GroupStop) first_stop_ = now;
  } else {
    stopped().set_regs(regs);
  }
  stand_at(regs);
  if (tracee::is_interrupted(regs)) {
    Regs entry = regs;
    entry.rax = static_cast<std::uint64_t>(-ENOSYS);
    interrupted_ = open_call(entry);
  }
  for (const siginfo_t& info : arrived) defer(info);
  if (!deferred_.empty()) stop_soon();
}

void TaskLife::give_back_to(LeavingTask& leaving) const {
  if (affinity_) leaving.own.affinity = *affinity_;
  leaving.own.tsc_mode = tsc_mode_;
  if (space_->dumpable != 1) leaving.own.dumpable = space_->dumpable;
  leaving.kept.assign(deferred_.begin(), deferred_.end());
}

int TaskLife::handle(const Stop& stop) {
  switch (stop.kind) {
    case Stop::Kind::Syscall:
      return on_syscall();
    case Stop::Kind::Signal:
      return on_signal(stop);
    case Stop::Kind::GroupStop: {
      Stop next = task_.park();
      while (next.kind == Stop::Kind::GroupStop) next = task_.park();
      return next.kind == Stop::Kind::EventStop ? 0 : handle(next);
    }
    case Stop::Kind::EventStop:
      interrupted_by_us_ = false;
      return stops_anywhere() ? on_interrupt() : 0;
    default:
      return 0;  // the end of a group stop changes nothing
  }
}

// Those that tmrec made.
void TaskLife::wait_for_children() {
  if (!task_.is_stopped() || tracee::is_interrupted(stopped().regs())) return;
  for (const pid_t child : session_.children_to_wait_for(process_->leader)) {
    call_remotely(SYS_wait4, {static_cast<std::uint64_t>(child), 0, WNOHANG | __WCLONE, 0});
  }
}

void TaskLife::check_memory() {
  const auto begun = std::chrono::steady_clock::now();
  CheckEvent event{stopped().regs(), hash_writable_memory(tid(), memory(), session_.in_flux(*space_))};
  session_.checked(std::chrono::steady_clock::now() - begun);
  session_.append(tid(), std::move(event));
}

// The kernel walks the robust list and clears the child tid word after the last ptrace stop (kernel/futex/core.c,
// exit_robust_list; kernel/fork.c, mm_release). Both follow fixed rules, so the words are computed here, while the
// memory can be read, and the baton is kept until the task has gone: nobody sees them earlier.
std::vector<Extent> TaskLife::memory_written_at_exit(int own_tid) {
  std::vector<Extent> written;
  auto word = [&](RemoteAddr at, std::uint32_t value) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(&value);
    written.push_back(Extent{at, Bytes(bytes, bytes + sizeof value), false});
  };
  struct robust_list_head* head = nullptr;
  std::size_t size = 0;
  auto died = [&](std::uint64_t entry, std::int64_t offset) {
    RemoteAddr at((entry & ~std::uint64_t{1}) + static_cast<std::uint64_t>(offset));
    auto value = memory().get<std::uint32_t>(at);
    if (value && (*value & FUTEX_TID_MASK) == static_cast<std::uint32_t>(own_tid)) {
      word(at, (*value & FUTEX_WAITERS) | FUTEX_OWNER_DIED);
    }
  };
  if (syscall(SYS_get_robust_list, tid(), &head, &size) == 0 && head != nullptr) {
    constexpr int kLimit = 2048;  // ROBUST_LIST_LIMIT, include/uapi/linux/futex.h
    auto base = reinterpret_cast<std::uint64_t>(head);
    auto list = memory().get<robust_list_head>(RemoteAddr(base));
    if (list) {
      auto pending = reinterpret_cast<std::uint64_t>(list->list_op_pending);
      auto entry = reinterpret_cast<std::uint64_t>(list->list.next);
      for (int i = 0; i < kLimit && (entry & ~std::uint64_t{1}) != base; ++i) {
        auto next = memory().get<std::uint64_t>(RemoteAddr(entry & ~std::uint64_t{1}));
        if (entry != pending) died(entry, list->futex_offset);
        if (!next) break;
        entry = *next;
      }
      if (pending != 0) died(pending, list->futex_offset);
    }
  }
  if (clear_child_tid_ != 0 && space_->tasks > 1) word(RemoteAddr(clear_child_tid_), 0);
  return written;
}

void TaskLife::end_of_life() {
  session_.exchange().take_records(false, true);  // it may have no registers any more
  ExitEvent event;
  bool at_exit_stop = task_.await_exit_stop();
  if (at_exit_stop) {
    try {
      event.status = static_cast<std::int32_t>(stopped().event_message());
      event.memory = memory_written_at_exit(tid());
    } catch (const tracee::TaskDied&) {
    }
    task_.await_end();
  } else {
    event.status = task_.last_stop().status;
  }
  give_slot_back();
  --process_->tasks;
  --space_->tasks;
  space_->areas.give_back(area_);
  event.process_ended = process_->tasks == 0;
  session_.append(tid(), std::move(event));
  session_.task_ended(tid());
}

}  // namespace tmrec::recorder
