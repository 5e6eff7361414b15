#include "recorder/space_copy.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <iterator>
#include <optional>

#include "recorder/exec_snapshot.h"
#include "tracee/proc.h"
#include "tracee/remote_call.h"

namespace tmrec::recorder {

namespace {

constexpr const char* kKilled = "the copy of its memory was killed before it was read";

// Mappings of a process that stands still and that its child does not have. Programs use MADV_DONTFORK for new memory
// all the time (V8 does), so that what smaps said before is not what fork went by.
std::optional<std::vector<AttachEvent::ForkAdvice>> left_out(pid_t parent, pid_t child) {
  const auto maps = tracee::read_maps(parent), copied = tracee::read_maps(child);
  if (!maps || !copied) return std::nullopt;
  std::vector<AttachEvent::ForkAdvice> found;
  auto next = copied->begin();
  for (const tracee::MapsLine& map : *maps) {
    while (next != copied->end() && next->end <= map.start) ++next;
    if (next != copied->end() && next->start <= map.start) continue;
    found.push_back({map.start, map.end - map.start, MADV_DONTFORK});
  }
  return found;
}

}  // namespace

bool is_worth_a_copy(pid_t pid) {
  constexpr std::uint64_t kWorthIt = 8ull << 20;
  return tracee::own_memory(pid) >= kWorthIt;
}

Bytes read_pages(const tracee::RemoteMemory& memory, const std::vector<tracee::PatchedModule>& patched,
                 RemoteAddr start, RemoteAddr end) {
  Bytes bytes = memory.read_some(start, end - start);
  bytes.resize(bytes.size() / kPageSize * kPageSize);
  for (const tracee::PatchedModule& module : patched) {
    if (!module.undone) module.show_original(start, bytes);
  }
  return bytes;
}

SpaceCopy::Made SpaceCopy::make(tracee::Stopped& task, const tracee::RemoteMemory& memory, RemoteAddr vdso,
                                std::uint64_t size, RemoteAddr gadget,
                                const std::vector<AttachEvent::ForkAdvice>& advice,
                                const std::vector<tracee::PatchedModule>& patched, std::vector<siginfo_t>* arrived) {
  Made made;
  const tracee::Forked forked = tracee::recorded_fork(task, memory, vdso, size, gadget, arrived);
  made.child = forked.known_as;
  if (forked.pid == 0) {
    made.why = forked.error == 0 ? "no place to fork from" : std::strerror(static_cast<int>(-forked.error));
    return made;
  }
  auto of_child = tracee::RemoteMemory::open(forked.pid);
  if (!of_child) {
    made.why = of_child.error().text;
    kill(forked.pid, SIGKILL);
    return made;
  }
  auto not_copied = left_out(task.tid(), forked.pid);
  if (!not_copied) {
    made.why = "what it left out is not known";
    kill(forked.pid, SIGKILL);
    return made;
  }
  std::ranges::copy_if(advice, std::back_inserter(*not_copied),
                       [](const auto& range) { return range.advice != MADV_DONTFORK; });
  // Where it dies it would take the time of the CPU that the program runs on.
  cpu_set_t all;
  std::memset(&all, 0xff, sizeof all);
  sched_setaffinity(forked.pid, sizeof all, &all);
  made.copy.reset(new SpaceCopy(forked.pid, std::move(*of_child), std::move(*not_copied), patched));
  return made;
}

SpaceCopy::~SpaceCopy() { end(); }

bool SpaceCopy::has(RemoteAddr start, RemoteAddr end) const {
  return std::ranges::none_of(not_copied_,
                              [&](const auto& range) { return range.start < end && start < range.start + range.size; });
}

void SpaceCopy::leave(Snapshot& snapshot, RemoteAddr start, RemoteAddr end) {
  left_.push_back({snapshot.pages.size(), end});
  snapshot.pages.push_back(Extent{start, {}, false});
}

namespace {

// Addresses where wiped memory begins and ends, however many mappings it consists of.
std::vector<std::uint64_t> wiped(const std::vector<AttachEvent::ForkAdvice>& advice) {
  std::vector<std::uint64_t> edges;
  for (const auto& range : advice) {
    if (range.advice == MADV_DONTFORK) continue;
    if (!edges.empty() && edges.back() == range.start.value)
      edges.pop_back();
    else
      edges.push_back(range.start.value);
    edges.push_back(range.start.value + range.size);
  }
  return edges;
}

}  // namespace

std::string SpaceCopy::fill(Snapshot& snapshot) {
  if (wiped(fork_advice(pid_)) != wiped(not_copied_)) {
    const bool lived = tracee::task_state(pid_) == 't';
    end();
    return lived ? "MADV_WIPEONFORK was used while the program was attached to: try again" : kKilled;
  }
  for (const Left& left : left_) {
    Extent& extent = snapshot.pages[left.extent];
    extent.bytes = read_pages(memory_, patched_, extent.addr, left.end);
  }
  std::erase_if(snapshot.pages, [](const Extent& extent) { return extent.bytes.empty(); });
  // A dead one's memory reads as nothing.
  const bool lives = tracee::task_state(pid_) == 't';
  end();
  return lives ? "" : kKilled;
}

// The loop may be quicker to wait for it.
void SpaceCopy::end() {
  if (over_) return;
  kill(pid_, SIGKILL);
  while (waitpid(pid_, nullptr, __WALL) < 0 && errno == EINTR) {
  }
  over_ = true;
}

}  // namespace tmrec::recorder
