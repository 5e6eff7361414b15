#include "recorder/memory_check.h"

#include <sys/mman.h>

#include <algorithm>

#include "tracee/agent/agent.h"
#include "tracee/memory_hash.h"
#include "tracee/proc.h"

namespace tmrec::recorder {

std::vector<CheckEvent::Range> hash_writable_memory(pid_t tid, const tracee::RemoteMemory& memory,
                                                    std::vector<AddressRange> in_flux) {
  std::sort(in_flux.begin(), in_flux.end(), [](const auto& a, const auto& b) { return a.start < b.start; });
  std::vector<CheckEvent::Range> ranges;
  auto maps = tracee::read_maps(tid);
  if (!maps) return ranges;
  tracee::PresentPages present(tid);
  for (const tracee::MapsLine& map : *maps) {
    if (agent::overlaps(map.start.value, map.end.value)) continue;
    if ((map.prot & PROT_WRITE) == 0 || (map.prot & PROT_READ) == 0) continue;
    auto add = [&](RemoteAddr start, RemoteAddr end) {
      if (start >= end) return;
      ranges.push_back({start, end, tracee::hash_range(memory, present, start, end, map.shared)});
    };
    RemoteAddr from = map.start;
    for (const AddressRange& flux : in_flux) {
      if (flux.end <= from || flux.start >= map.end) continue;
      add(from, RemoteAddr(page_down(flux.start.value)));
      from = std::max(from, RemoteAddr(page_up(flux.end.value)));
    }
    add(from, map.end);
  }
  return ranges;
}

}  // namespace tmrec::recorder
