// The clock: when rdtsc traps, and the vDSO that the agent reads the clock by.
//
// Problem: rdtsc must be recorded wherever it is executed, and the trap on it (PR_SET_TSC) also takes the vDSO's clock
// away, which is ten times cheaper than the system call. Solution: most programs have no rdtsc that is not patched, in
// any of their modules. As long as that is known of all memory that can be executed, nothing traps, and the agent has a
// copy of the vDSO that works; from the first piece of other code on (JIT compilers), everything traps. A seccomp
// filter of the program's own may forbid the trap later, so it is set up before. Rejected: to patch the vDSO's
// functions in place, which a program could then also reach around the patch.
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <algorithm>

#include "recorder/task_life.h"
#include "tracee/agent/agent.h"
#include "tracee/patch/vsyscall.h"
#include "tracee/proc.h"
#include "tracee/vdso.h"

namespace tmrec::recorder {

// It survives execve, where it must not: should the supervisor be killed before it has prepared the new program, whose
// vDSO uses rdtsc, nobody would answer.
void TaskLife::trap_tsc(bool on) {
  if (!space_->call_gadget) return session_.note("no vDSO: rdtsc is not recorded");
  if (process_->no_agent) return;  // a filter of its own may end it for a prctl: the trap stays as it is
  call_remotely(SYS_prctl, {PR_SET_TSC, static_cast<std::uint64_t>(on ? PR_TSC_SIGSEGV : PR_TSC_ENABLE)});
  tsc_traps_ = on;
}

// Another task of its address space may have changed what is to be.
void TaskLife::settle_tsc() {
  const bool traps = !space_->tsc_leads_to_agent || tsc_mode_ == PR_TSC_SIGSEGV;
  if (traps != tsc_traps_ && space_->call_gadget && !process_->no_agent) trap_tsc(traps);
}

// Whether all that can be executed from `start` to `end` is known to have no rdtsc but those that lead to the agent.
bool TaskLife::tsc_leads_to_agent(RemoteAddr start, RemoteAddr end) const {
  if (start == space_->vdso || start.value == patch::kVsyscallTwin) return true;
  return std::ranges::any_of(space_->patches.modules(), [&](const tracee::PatchedModule& module) {
    if (module.undone || !module.plan->covers_tsc) return false;
    const bool in_text = page_down(module.text.value) <= start.value && end.value <= page_up(module.text_end().value);
    return in_text || (module.block <= start && end <= module.block_end());
  });
}

// At a program's first instruction, patched.
void TaskLife::look_for_tsc(const std::vector<Mapping>& mappings) {
  if (!dispatched_ || session_.ledger() || stops_anywhere()) return;
  space_->tsc_leads_to_agent = std::ranges::all_of(mappings, [&](const Mapping& mapping) {
    return (mapping.prot & PROT_EXEC) == 0 || tsc_leads_to_agent(mapping.start, mapping.end);
  });
  if (space_->tsc_leads_to_agent) copy_vdso();
}

// Memory has become executable.
void TaskLife::look_for_tsc(std::uint64_t start, std::uint64_t size) {
  if (!space_->tsc_leads_to_agent || tsc_leads_to_agent(RemoteAddr(start), RemoteAddr(start + page_up(size)))) return;
  expect_tsc_anywhere();
}

void TaskLife::expect_tsc_anywhere() {
  if (!std::exchange(space_->tsc_leads_to_agent, false)) return;
  session_.note("rdtsc traps, for code that is not patched");
  // Those that wait in the agent come to the supervisor before they execute anything.
  session_.ask_tasks_of(*space_);
}

// What the vDSO reads moves to the agent's region, to where the agent's copy expects it. The program's own vDSO makes
// system calls, and needs none of it.
void TaskLife::copy_vdso() {
  static const tracee::OwnVdso own = tracee::own_vdso();
  const auto maps = tracee::read_maps(tid());
  if (!maps || own.image.empty() || own.image.size() > agent::kVdsoSize - sizeof(agent::Clocks)) return;
  std::vector<tracee::WantedCall> calls;
  for (const tracee::MapsLine& map : *maps) {
    if (!map.name.starts_with("[vvar")) continue;
    const std::uint64_t size = map.end - map.start, distance = space_->vdso - map.start;
    const std::uint64_t to = agent::kVdso - distance;
    if (map.start > space_->vdso || distance < size || to < agent::kCode + page_up(agent::all_code().size())) return;
    calls.push_back({SYS_mremap, {map.start.value, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to}});
    // The kernel would put the program's next mapping there.
    constexpr std::uint64_t kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
    calls.push_back({SYS_mmap, {map.start.value, size, PROT_NONE, kFlags, ~0ull, 0}});
  }
  if (calls.empty()) return;
  const auto moved = call_in_a_row(calls);
  if (moved.size() != calls.size() || tracee::is_error(moved.back())) return;
  agent::Clocks clocks{};
  if (own.clock_gettime != 0) clocks.clock_gettime = agent::kVdso + own.clock_gettime;
  if (own.gettimeofday != 0) clocks.gettimeofday = agent::kVdso + own.gettimeofday;
  if (!memory().write(agent::kVdso, own.image.data(), own.image.size())) return;
  memory().write(agent::kClocks, &clocks, sizeof clocks);
}

}  // namespace tmrec::recorder
