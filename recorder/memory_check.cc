#include "recorder/memory_check.h"

#include <sys/mman.h>

#include "tracee/memory_hash.h"
#include "tracee/proc.h"

namespace tmrec::recorder {

std::vector<CheckEvent::Range> hash_writable_memory(pid_t tid, const tracee::RemoteMemory& memory) {
  std::vector<CheckEvent::Range> ranges;
  auto maps = tracee::read_maps(tid);
  if (!maps) return ranges;
  tracee::PresentPages present(tid);
  for (const tracee::MapsLine& map : *maps) {
    if ((map.prot & PROT_WRITE) == 0 || (map.prot & PROT_READ) == 0) continue;
    ranges.push_back({map.start, map.end, tracee::hash_range(memory, present, map.start, map.end, map.shared)});
  }
  return ranges;
}

}  // namespace tmrec::recorder
