#include "tracee/affinity.h"

#include <sched.h>

#include <algorithm>

namespace tmrec::tracee {

bool pin_to_cpu(pid_t task, int number) {
  if (number < 0 || number >= CPU_SETSIZE) return false;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(static_cast<std::size_t>(number), &one);
  return sched_setaffinity(task, sizeof one, &one) == 0;
}

int current_cpu_number() { return std::max(0, sched_getcpu()); }

}  // namespace tmrec::tracee
