#include "recorder/give_back.h"

#include <asm/prctl.h>
#include <linux/rseq.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>

#include "tracee/agent/agent.h"
#include "tracee/broken.h"
#include "tracee/call_room.h"
#include "tracee/fork_room.h"
#include "tracee/interrupted.h"
#include "tracee/proc.h"
#include "tracee/remote_call.h"
#include "tracee/vdso.h"

namespace tmrec::recorder {

using tracee::Stop;

namespace {

constexpr std::uint64_t kNoCall = ~std::uint64_t{0};

// Stopped at a call that Syscall User Dispatch kept from the kernel, with its number still in rax. Not when the
// supervisor had made another of it.
bool is_refused_call(const siginfo_t& info, const Regs& regs) {
  return agent::is_dispatch(info) && info.si_call_addr == reinterpret_cast<void*>(regs.rip);
}

class GiveBack {
 public:
  GiveBack(std::vector<LeavingTask*>& tasks, const tracee::PatchedSpace* patches, bool complete, bool cpuid_trapped,
           tracee::RemoteMemory memory)
      : tasks_(tasks),
        patches_(patches),
        complete_(complete),
        cpuid_trapped_(cpuid_trapped),
        memory_(std::move(memory)) {
    if (auto maps = tracee::read_maps(tasks.front()->task->tid())) maps_ = std::move(*maps);
    const auto vdso = std::ranges::find(maps_, "[vdso]", &tracee::MapsLine::name);
    if (vdso == maps_.end()) return;
    vdso_ = vdso->start;
    vdso_size_ = vdso->end - vdso->start;
    if (auto room = tracee::make_call_room(memory_, vdso_, vdso_size_)) room_ = *room;
  }

  void run() {
    for_each([this](LeavingTask& leaving) { find_goal(leaving); });
    for_each([this](LeavingTask& leaving) { restore_settings(leaving); });
    tracee::undo_all_patches(tasks_.front()->task->tid(), memory_);
    agent::stand_down(memory_);
    unmap();
    for_each([](LeavingTask& leaving) { stand_at_goal(leaving); });
    // Where a task may be that could not be stopped, nothing is changed: in this form, too, the vdso works.
    if (vdso_.value != 0 && complete_) tracee::restore_vdso(memory_, vdso_, vdso_size_);
  }

 private:
  template <class F>
  void for_each(F&& f) {
    for (LeavingTask* leaving : tasks_) {
      if (leaving->gone) continue;
      try {
        f(*leaving);
      } catch (const tracee::TaskDied&) {
        leaving->gone = true;
      } catch (const BrokenInvariant&) {
        // One that cannot be helped must not keep the others.
      }
    }
  }

  // Where in the program the task goes on.
  void find_goal(LeavingTask& leaving) {
    Regs regs = leaving.task->regs();
    const RemoteAddr area(regs.gs_base);
    if (vdso_.value != 0) regs = tracee::leave_fork_room(memory_, vdso_, vdso_size_, regs).value_or(regs);
    const auto of_program = room_.value == 0 ? std::nullopt : tracee::leave_call_room(memory_, room_, regs);
    if (of_program) regs = *of_program;
    if (agent::is_area(area.value)) regs = agent::way_back(memory_, area, regs).value_or(regs);
    if (agent::is_area(area.value) && agent::is_code(regs.rip))
      regs = agent::out_of_wait(memory_, area, regs).value_or(regs);
    // If a handler is to run, the call ends with EINTR after all.
    tracee::wait_on(regs, leaving.waited);
    const bool at_entry = leaving.stop.kind == Stop::Kind::Syscall && static_cast<std::int64_t>(regs.rax) == -ENOSYS &&
                          static_cast<std::int64_t>(regs.orig_rax) >= 0;
    const bool dispatched = leaving.stop.kind == Stop::Kind::Signal && is_refused_call(leaving.task->siginfo(), regs);
    const auto asked = agent::is_area(area.value) ? agent::unanswered(memory_, area, regs) : std::nullopt;
    if (asked) {
      regs = asked->regs;
    } else if (dispatched) {
      regs.rip -= 2;
      regs.orig_rax = kNoCall;
    } else if (at_entry) {
      regs.rip -= 2;
      regs.rax = regs.orig_rax;
      regs.orig_rax = kNoCall;
    }
    if (patches_ && agent::is_area(area.value)) regs = patches_->program_view(memory_, area, regs);
    if (vdso_.value != 0) regs = tracee::out_of_vdso(memory_, vdso_, vdso_size_, regs);
    leaving.stays = patches_ == nullptr || agent::is_code(regs.rip) || patches_->with_block(regs.rip) != nullptr;
    if (!leaving.stays) regs.gs_base = leaving.own.gs_base;
    leaving.goal = regs;
    if (leaving.stop.kind == Stop::Kind::Signal) {
      const siginfo_t info = leaving.task->siginfo();
      // The others are raised again.
      if (!tracee::raised_by_instruction(info) && !agent::is_dispatch(info)) leaving.kept.push_back(info);
    }
    // Left alone from here on, it does the right thing.
    Regs alone = tracee::restarted(regs);
    alone.gs_base = area.value;
    leaving.task->set_regs(alone);
  }

  std::int64_t call(LeavingTask& leaving, std::int64_t number, std::initializer_list<std::uint64_t> args) {
    Regs alone = tracee::restarted(leaving.goal);
    if (leaving.task->regs().gs_base != alone.gs_base) alone.gs_base = leaving.task->regs().gs_base;
    leaving.task->set_regs(alone);
    return tracee::recorded_call(*leaving.task, memory_, room_, number, args, &leaving.kept);
  }

  void restore_settings(LeavingTask& leaving) {
    const OwnSettings& own = leaving.own;
    sched_setaffinity(leaving.task->tid(), sizeof own.affinity, &own.affinity);
    call(leaving, SYS_prctl, {PR_SET_TSC, static_cast<std::uint64_t>(own.tsc_mode), 0, 0, 0});
    if (cpuid_trapped_) call(leaving, SYS_arch_prctl, {ARCH_SET_CPUID, 1});
    if (own.rseq != 0) call(leaving, SYS_rseq, {own.rseq, own.rseq_size, 0, own.rseq_signature});
    if (own.dumpable >= 0)
      call(leaving, SYS_prctl, {PR_SET_DUMPABLE, static_cast<std::uint64_t>(own.dumpable), 0, 0, 0});
    wait_for(leaving);
    if (leaving.kept.empty()) return;
    std::vector<siginfo_t> kept;
    kept.swap(leaving.kept);
    leaving.task->set_regs(with_gs_of(leaving, tracee::restarted(leaving.goal)));
    tracee::queue_signals(*leaving.task, memory_, room_, kept);
  }

  // Those that have not ended yet stay.
  void wait_for(LeavingTask& leaving) {
    for (const pid_t child : leaving.children) {
      call(leaving, SYS_wait4, {static_cast<std::uint64_t>(child), 0, WNOHANG | __WCLONE, 0});
    }
  }

  static Regs with_gs_of(const LeavingTask& leaving, Regs regs) {
    regs.gs_base = leaving.task->regs().gs_base;
    return regs;
  }

  // What tmrec mapped, when nobody is there or will be.
  void unmap() {
    const bool possible = complete_ && patches_ != nullptr && room_.value != 0 &&
                          std::ranges::none_of(tasks_, [](const LeavingTask* leaving) { return leaving->stays; });
    const auto by = std::ranges::find_if(tasks_, [](const LeavingTask* leaving) { return !leaving->gone; });
    if (!possible || by == tasks_.end()) return;
    try {
      LeavingTask& leaving = **by;
      leaving.task->set_regs(tracee::restarted(leaving.goal));  // its area goes away
      auto drop = [&](RemoteAddr start, std::uint64_t size) {
        leaving.task->set_regs(tracee::restarted(leaving.goal));
        tracee::recorded_call(*leaving.task, memory_, room_, SYS_munmap, {start.value, size}, &leaving.kept);
      };
      for (const tracee::PatchedModule& module : patches_->modules()) drop(module.block, module.plan->block.size());
      const bool mapped =
          std::ranges::any_of(maps_, [](const auto& map) { return agent::overlaps(map.start.value, map.end.value); });
      if (mapped) drop(RemoteAddr(agent::kBase), agent::kSize);
    } catch (const tracee::TaskDied&) {
    } catch (const BrokenInvariant&) {
    }
  }

  static void stand_at_goal(LeavingTask& leaving) {
    if (tracee::is_interrupted(leaving.goal)) {
      tracee::stand_interrupted(*leaving.task, leaving.goal, leaving.kept);
    } else {
      leaving.task->set_regs(leaving.goal);
    }
    // One that came last of all, without its siginfo.
    if (!leaving.kept.empty() && !tracee::is_interrupted(leaving.goal)) leaving.signal = leaving.kept.front().si_signo;
  }

  std::vector<LeavingTask*>& tasks_;
  const tracee::PatchedSpace* patches_;
  bool complete_, cpuid_trapped_;
  tracee::RemoteMemory memory_;
  std::vector<tracee::MapsLine> maps_;
  RemoteAddr vdso_, room_;
  std::uint64_t vdso_size_ = 0;
};

}  // namespace

void give_back(std::vector<LeavingTask*>& tasks, const tracee::PatchedSpace* patches, bool complete,
               bool cpuid_trapped) {
  if (tasks.empty()) return;
  auto memory = tracee::RemoteMemory::open(tasks.front()->task->tid());
  if (!memory) return;
  GiveBack(tasks, patches, complete, cpuid_trapped, std::move(*memory)).run();
}

}  // namespace tmrec::recorder
