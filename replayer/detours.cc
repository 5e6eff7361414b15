#include "replayer/detours.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#include <algorithm>

#include "replayer/stub.h"
#include "tracee/agent/agent.h"
#include "tracee/proc.h"

namespace tmrec::replayer {

namespace {

constexpr std::size_t kMostDetours = 512;
constexpr std::uint64_t kLowest = 1 << 16;            // vm.mmap_min_addr
constexpr std::uint64_t kHighest = 0x7fff'ff00'0000;  // below the main thread's stack

// Whole pages.
struct Range {
  std::uint64_t begin, end;
};

Range pages_of(const Detour& detour) { return {page_down(detour.at), page_up(detour.end())}; }

bool is_free(const std::vector<tracee::MapsLine>& maps, const Range& range) {
  if (range.begin < kLowest || range.end > kHighest || agent::overlaps(range.begin, range.end)) return false;
  return std::ranges::none_of(
      maps, [&](const tracee::MapsLine& map) { return map.start.value < range.end && range.begin < map.end.value; });
}

}  // namespace

std::shared_ptr<const Detour> Detours::around(tracee::Stopped& task, const tracee::RemoteMemory& memory,
                                              std::uint64_t place, const std::vector<std::uint8_t>& condition) {
  Known wanted{condition, memory.read_some(RemoteAddr(place), kMostDisplaced), nullptr};
  if (const auto known = known_.find(place); known != known_.end()) {
    if (known->second.condition == wanted.condition && known->second.bytes == wanted.bytes) return known->second.detour;
    if (known->second.detour) unmap(task, *known->second.detour);
    known_.erase(known);
  }
  if (known_.size() >= kMostDetours) return nullptr;
  wanted.detour = make(task, memory, place, wanted);
  return (known_[place] = std::move(wanted)).detour;
}

std::shared_ptr<const Detour> Detours::make(tracee::Stopped& task, const tracee::RemoteMemory& memory,
                                            std::uint64_t place, const Known& wanted) {
  const auto maps = tracee::read_maps(task.tid());
  if (!maps) return nullptr;
  for (const std::uint64_t at : addresses_for_detour(place)) {
    const std::uint64_t most = size_of_detour(wanted.condition.size()) + kMostDisplaced;
    if (!is_free(*maps, {page_down(at), page_up(at + most)})) continue;
    const auto detour = make_detour(place, wanted.bytes, wanted.condition, at);
    if (!detour) return nullptr;
    const auto [begin, end] = pages_of(*detour);
    constexpr std::uint64_t kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
    const std::int64_t mapped =
        call_in_stub(task, SYS_mmap, {begin, end - begin, PROT_READ | PROT_EXEC, kFlags, ~std::uint64_t{0}, 0});
    if (mapped != static_cast<std::int64_t>(begin)) continue;
    if (memory.write(at, detour->code.data(), detour->code.size())) return std::make_shared<const Detour>(*detour);
    unmap(task, *detour);
    return nullptr;
  }
  return nullptr;
}

void Detours::unmap(tracee::Stopped& task, const Detour& detour) {
  const auto [begin, end] = pages_of(detour);
  call_in_stub(task, SYS_munmap, {begin, end - begin});
}

void Detours::give_way(tracee::Stopped& task, std::uint64_t start, std::uint64_t end) {
  std::erase_if(known_, [&](const auto& each) {
    if (!each.second.detour) return false;
    const auto pages = pages_of(*each.second.detour);
    if (start >= pages.end || pages.begin >= end) return false;
    unmap(task, *each.second.detour);
    return true;
  });
}

}  // namespace tmrec::replayer
