#include "recorder/agent_probe.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "tracee/agent/agent.h"
#include "tracee/debug_registers.h"
#include "tracee/patch/decode.h"
#include "tracee/proc.h"

namespace tmrec::recorder {

AgentProbe::AgentProbe(int signal) : signal_(signal) {
  const auto code = agent::all_code();
  for (std::uint32_t at = sizeof(agent::Directory); at < code.size();) {
    const auto insn = patch::decode(code.subspan(at), at);
    if (insn) places_.push_back(agent::kCode + at);
    at += insn ? insn->length : 1;
  }
}

void AgentProbe::arm(const tracee::Stopped& task) {
  if (tracee::set_breakpoint(task, RemoteAddr(places_[next_]))) next_ = (next_ + 1) % places_.size();
}

bool AgentProbe::met(const tracee::Stopped& task, const siginfo_t& trap) {
  constexpr int kHardwareBreakpoint = 4;  // TRAP_HWBKPT, asm-generic/siginfo.h
  if (trap.si_signo != SIGTRAP || trap.si_code != kHardwareBreakpoint || !agent::is_code(task.regs().rip)) return false;
  (void)tracee::set_breakpoint(task, std::nullopt);
  const auto group = tracee::thread_group_of(task.tid());
  if (group) syscall(SYS_tgkill, *group, task.tid(), signal_);
  return true;
}

}  // namespace tmrec::recorder
