// Calls about settings that tmrec itself has changed (the CPU it pinned the program to, the trap on rdtsc): answered as
// the kernel would have answered without tmrec, and not performed.
#include <asm/prctl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <algorithm>

#include "recorder/task_life.h"

namespace tmrec::recorder {

// A program that was joined knows that rseq works, and a thread may be about to register its area: it is registered
// when the recording lets go. Meanwhile the area says what an unregistered one says, and programs ask the kernel.
void TaskLife::keep_rseq(OpenCall& open) {
  OwnSettings* own = session_.ledger()->entry(tid());
  if (own == nullptr) return refuse(open, ENOSYS);
  constexpr std::uint64_t kUnregister = 1;  // RSEQ_FLAG_UNREGISTER
  const auto& args = open.call.args;
  const bool registers = (args[2] & kUnregister) == 0;
  if (registers == (own->rseq != 0)) return skip_call(open, registers ? -EBUSY : -EINVAL);
  own->rseq_size = static_cast<std::uint32_t>(args[1]);
  own->rseq_signature = static_cast<std::uint32_t>(args[3]);
  own->rseq = registers ? args[0] : 0;
  skip_call(open, 0);
}

bool TaskLife::answer_virtually(OpenCall& open) {
  const auto& args = open.call.args;
  auto store = [&](std::uint64_t addr, const void* bytes, std::size_t size) {
    return memory().write(addr, bytes, size);
  };
  switch (open.call.nr) {
    case SYS_sched_getaffinity: {
      // The kernel returns the size of its mask, a multiple of 8 that holds all possible CPUs
      // (kernel/sched/syscalls.c).
      std::size_t size = session_.affinity_bytes;
      if (args[1] < size || args[1] % 8 != 0) return skip_call(open, -EINVAL), true;
      if (args[0] != 0 && kill(static_cast<pid_t>(args[0]), 0) < 0 && errno == ESRCH) {
        return skip_call(open, -ESRCH), true;
      }
      const cpu_set_t& mask = affinity_ ? *affinity_ : session_.affinity;
      bool stored = store(args[2], &mask, std::min(size, sizeof mask));
      return skip_call(open, stored ? static_cast<std::int64_t>(size) : -EFAULT), true;
    }
    case SYS_sched_setaffinity: {
      cpu_set_t mask;
      CPU_ZERO(&mask);
      std::size_t size = std::min<std::size_t>(args[1], sizeof mask);
      if (!memory().read(args[2], &mask, size)) return skip_call(open, -EFAULT), true;
      cpu_set_t usable;
      CPU_AND(&usable, &mask, &session_.affinity);
      if (CPU_COUNT(&usable) == 0) return skip_call(open, -EINVAL), true;
      if (args[0] == 0 || static_cast<pid_t>(args[0]) == tid()) affinity_ = usable;
      return skip_call(open, 0), true;
    }
    case SYS_prctl:
      if (args[0] == PR_SET_TSC) {
        if (args[1] != PR_TSC_ENABLE && args[1] != PR_TSC_SIGSEGV) return skip_call(open, -EINVAL), true;
        tsc_mode_ = static_cast<int>(args[1]);
        return skip_call(open, 0), true;
      }
      if (args[0] == PR_GET_TSC)
        return skip_call(open, store(args[1], &tsc_mode_, sizeof tsc_mode_) ? 0 : -EFAULT), true;
      // Without it the program's memory would be closed to a supervisor without privilege.
      if (args[0] == PR_SET_DUMPABLE) {
        if (args[1] > 1) return skip_call(open, -EINVAL), true;
        space_->dumpable = static_cast<int>(args[1]);
        return skip_call(open, 0), true;
      }
      if (args[0] == PR_GET_DUMPABLE) return skip_call(open, space_->dumpable), true;
      return false;
    case SYS_arch_prctl:
      if (args[0] == ARCH_GET_GS && counts() && agent::is_area(open.event.regs.gs_base)) {
        constexpr std::uint64_t kNone = 0;
        return skip_call(open, store(args[1], &kNone, sizeof kNone) ? 0 : -EFAULT), true;
      }
      if (args[0] == ARCH_GET_CPUID) return skip_call(open, 1), true;
      if (args[0] == ARCH_SET_CPUID) return skip_call(open, -ENODEV), true;
      return false;
    default:
      return false;
  }
}

}  // namespace tmrec::recorder
