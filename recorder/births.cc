// New tasks and new programs: clone in all its forms, and execve.
#include <asm/prctl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fmt/format.h>

#include "format/core_file.h"
#include "recorder/exec_snapshot.h"
#include "recorder/extent_list.h"
#include "recorder/task_life.h"
#include "tracee/agent/agent.h"
#include "tracee/proc.h"
#include "tracee/vdso.h"

namespace tmrec::recorder {

std::uint64_t TaskLife::record_birth(OpenCall& open) {
  auto birth = syscalls::clone_arguments(open.call, memory());
  auto child_tid = static_cast<pid_t>(stopped().event_message());
  // A child that shares memory (vfork, a thread) sees what the call wrote before the parent returns from it; one that
  // gets a copy got it before.
  if ((birth.flags & CLONE_VM) != 0) {
    ExtentList outputs;
    syscalls::capture_outputs(open.call, open.notes, child_tid, memory(), outputs);
    outputs.read_into(open.event.extents, memory());
  }
  log_enter(open);

  auto child = session_.loop().await_newborn(child_tid);
  if (!child) return birth.flags;  // killed before its first instruction
  const Ticks first(session_.loop().policy().first_ticks());
  const RemoteAddr area = prepare_counting(*child, birth.flags, first);
  CloneEvent event;
  event.child = Tid(child_tid);
  event.flags = birth.flags;
  event.child_ticks = first;
  try {
    try {
      event.child_regs = child->regs();
    } catch (const tracee::TaskDied&) {
      event.child_regs = open.event.regs;  // killed already: its life is an end and nothing else
    }
  } catch (const tracee::TaskDied&) {
    return birth.flags;  // likewise; its end must not be taken for the parent's
  }
  auto process = process_;
  if ((birth.flags & CLONE_THREAD) == 0)
    process = std::make_shared<Process>(Process{child_tid, 0, process_->program_sigsys, process_->no_agent});
  event.child_process = Tid(process->leader);
  // What the agent knows of descriptors is kept with the memory.
  const bool same_memory = (birth.flags & CLONE_VM) != 0, same_files = (birth.flags & CLONE_FILES) != 0;
  if (same_memory && !same_files) process->borrows_memory = true;
  if (same_files && !same_memory) space_->no_agent = true;
  auto space = space_;
  if ((birth.flags & CLONE_VM) == 0) {
    auto memory = tracee::RemoteMemory::open(child_tid);
    if (!memory) throw sched::EndRecording{memory.error().text};
    space = std::make_shared<AddressSpace>(AddressSpace{.memory = std::move(*memory),
                                                        .call_gadget = space_->call_gadget,
                                                        .vdso = space_->vdso,
                                                        .vdso_led = space_->vdso_led,
                                                        .syscall_sites = space_->syscall_sites,
                                                        .copied_in_flux = session_.in_flux(*space_),
                                                        .dumpable = space_->dumpable,
                                                        .patches = space_->patches,
                                                        .areas = space_->areas,
                                                        .patches_off = space_->patches_off,
                                                        .tsc_leads_to_agent = space_->tsc_leads_to_agent});
    space->ring = space_->ring;
    space->no_agent = space_->no_agent;
    space->areas.keep_only(area);
    if (area.value != 0) prepare_counter(space->memory, area, first);
  }
  if ((birth.flags & CLONE_CHILD_SETTID) != 0) {
    event.child_memory.push_back(
        Extent{RemoteAddr(birth.child_tid), space->memory.read_some(RemoteAddr(birth.child_tid), 4), false});
  }
  session_.append(tid(), std::move(event));
  if (session_.ledger()) {
    OwnSettings own;
    if (const OwnSettings* parent = session_.ledger()->find(tid(), process_->leader)) own = *parent;
    if (same_memory) own.rseq = 0;  // a copy of memory has a copy of the registration (rseq(2))
    own.tid = child_tid;
    own.process = process->leader;
    session_.ledger()->add(own);
  }
  std::uint64_t clear_child_tid = (birth.flags & CLONE_CHILD_CLEARTID) != 0 ? birth.child_tid : 0;
  session_.adopt(child_tid, std::move(*child), process, space,
                 Birthright{clear_child_tid, affinity_, tsc_mode_, tsc_traps_, false, area, first});
  return birth.flags;
}

// What a child has inherited is not the program's, if it is the area of its parent.
void TaskLife::hide_area(tracee::Stopped& child) {
  try {
    Regs regs = child.regs();
    if (!agent::is_area(regs.gs_base) || space_->patches.with_block(regs.rip) != nullptr) return;
    regs.gs_base = 0;
    child.set_regs(regs);
  } catch (const tracee::TaskDied&) {
    // Nobody will see it.
  }
}

// A task that shares memory gets an area of its own before its first instruction; one with a copy keeps the copy.
RemoteAddr TaskLife::prepare_counting(tracee::Stopped& child, std::uint64_t clone_flags, Ticks first) {
  if (!counts()) return RemoteAddr(0);
  if (space_->patches_off) return hide_area(child), RemoteAddr(0);
  if ((clone_flags & CLONE_VM) == 0) return area_;
  const RemoteAddr area = space_->areas.take();
  if (area.value == 0) throw sched::EndRecording{fmt::format("more than {} threads in one process", agent::kMaxTasks)};
  try {
    prepare_counter(memory(), area, first);
    Regs regs = child.regs();
    regs.gs_base = area.value;
    child.set_regs(regs);
  } catch (const tracee::TaskDied&) {
    // What is left of its life needs no ticks.
  }
  return area;
}

void TaskLife::record_exec(OpenCall& open) {
  // The task may have been another thread than the leader; it is the leader now.
  auto former = static_cast<pid_t>(stopped().event_message());
  if (!open.enter_logged) {
    open.enter_logged = true;
    SyscallEvent enter = open.event;
    enter.phase = SyscallEvent::Phase::Enter;
    session_.append(former, std::move(enter));
  }
  --space_->tasks;
  space_->areas.give_back(area_);
  area_ = RemoteAddr(0);
  task_.run_call([] {});  // to the exit stop: the new program's first instruction
  enter_program(former);
}

// The CPU's own faulting, which execve switches off (arch_prctl(2), ARCH_SET_CPUID).
void TaskLife::trap_cpuid() {
  if (!space_->call_gadget) return;
  call_remotely(SYS_arch_prctl, {ARCH_SET_CPUID, 0});
}

// What a program needs to be counted; a program that uses %gs gets nothing of it.
void TaskLife::begin_patching(Snapshot& snapshot) {
  if (!session_.options().count_ticks) return;
  session_.foresee_modules(tid(), snapshot.mappings);
  if (session_.uses_gs(snapshot.mappings)) return session_.note("the program uses %gs: ticks are not counted");
  map_agent();
  if (!counts() || !session_.options().use_agent || space_->vdso.value == 0) return;
  tracee::lead_vdso_to(memory(), space_->vdso, tracee::kMostOfVdso, agent::directory().clock);
  space_->vdso_led = true;
  for (Extent& page : snapshot.pages) {
    const bool shows = page.addr.value < space_->vdso.value + tracee::kMostOfVdso &&
                       page.addr.value + page.bytes.size() > space_->vdso.value;
    if (shows) page.bytes = memory().read_some(page.addr, page.bytes.size());
  }
}

void TaskLife::enter_program(pid_t former) {
  auto memory = tracee::RemoteMemory::open(tid());
  if (!memory) {
    throw sched::EndRecording{
        fmt::format("task {} executes a program that may not be traced ({})", tid(), memory.error().text)};
  }
  space_ = std::make_shared<AddressSpace>(AddressSpace{.memory = std::move(*memory), .tasks = 1});
  task_.entered_program();
  session_.entered_space(former, tid(), space_);
  clear_child_tid_ = 0;
  entered_.reset();
  interrupted_.reset();
  at_syscall_ = false;

  area_ = RemoteAddr(0);
  give_slot_back();  // it may have another id
  dispatched_ = conducts_ = traced_once_ = false;
  traced_calls_ = 0;
  process_->program_sigsys.reset();
  process_->borrows_memory = false;
  if (session_.ledger()) {
    if (OwnSettings* own = session_.ledger()->entry(tid())) own->rseq = own->gs_base = 0;
  }
  session_.forget_descriptors();  // the program's file is mapped now
  prepare_vdso(tid(), stopped(), *space_, session_);
  auto snapshot = take_snapshot(tid(), stopped(), *space_, session_, SnapshotOf::Exec);
  if (!snapshot) throw sched::EndRecording{snapshot.error().text};
  begin_patching(*snapshot);
  snapshot->regs = stopped().regs();
  if (session_.manifest().cpuid_trapped) trap_cpuid();
  ExecEvent event;
  event.former = Tid(former);
  event.program = snapshot->executable;
  if (former == 0) session_.manifest().program = snapshot->executable;
  struct stat file {};
  if (geteuid() != 0 && stat(event.program.c_str(), &file) == 0 && (file.st_mode & (S_ISUID | S_ISGID)) != 0) {
    session_.note("setuid or setgid program run without its privilege: " + event.program);
  }
  event.arguments = snapshot->arguments;
  EventNo number(session_.log().last().value + 1);
  event.snapshot = TraceDir::snapshot_name(number, Tid(tid()));
  auto path = session_.trace().snapshot(event.snapshot);
  if (!path) throw sched::EndRecording{path.error().text};
  if (auto written = write_core(*snapshot, *path); !written) throw sched::EndRecording{written.error().text};
  event.counted = counts();
  start_counter({});
  session_.append(tid(), std::move(event));
  if (session_.options().agent_after == 0) consider_agent();
  patch_program(snapshot->mappings);
  look_for_tsc(snapshot->mappings);
  settle_tsc();
  stand_at(stopped().regs());
  at_event_ = true;
}

}  // namespace tmrec::recorder
