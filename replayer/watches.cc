// Watchpoints: debug registers for what the program's instructions touch, and a comparison for what events write.
//
// Debug registers are few, and cover 8 aligned bytes each; where they do not suffice, pages are protected (fence.h). A
// write of what was there already is none: the debugger would ask to go on anyway.
#include <algorithm>

#include "replayer/walker.h"

namespace tmrec::replayer {

using Kind = Stops::Watch::Kind;

namespace {

// In pieces that a debug register can watch.
void split(const Stops::Watch& watch, std::vector<tracee::WatchedWord>& words) {
  std::uint64_t at = watch.at.value, left = watch.size;
  while (left > 0 && words.size() <= tracee::kDebugRegisters) {
    std::uint64_t size = 8;
    while (at % size != 0 || size > left) size /= 2;
    const bool writes_only = watch.kind == Kind::Write || watch.kind == Kind::Store;
    words.push_back({RemoteAddr(at), static_cast<std::uint8_t>(size), writes_only});
    at += size;
    left -= size;
  }
}

bool writes(const Event& event, const Stops::Watch& watch) {
  const auto* call = std::get_if<SyscallEvent>(&event.body);
  return call != nullptr && std::ranges::any_of(call->extents, [&](const Extent& extent) {
           return !extent.input && extent.addr.value < watch.at.value + watch.size &&
                  watch.at.value < extent.addr.value + extent.bytes.size();
         });
}

}  // namespace

void Walker::prepare_watches() {
  words_.clear();
  word_watch_.clear();
  machine_.accessed = 0;
  machine_.fence.surround({});
  if (orders_.stops) {
    for (std::size_t i = 0; i < orders_.stops->watches.size(); ++i) {
      split(orders_.stops->watches[i], words_);
      word_watch_.resize(words_.size(), i);
    }
  }
  if (words_.size() > tracee::kDebugRegisters) {
    words_.clear();
    machine_.fence.surround(ranges());
  }
  remember();
}

std::vector<Fence::Range> Walker::ranges() const {
  std::vector<Fence::Range> ranges;
  for (const Stops::Watch& watch : orders_.stops->watches) {
    const bool reads = watch.kind == Kind::Read || watch.kind == Kind::Access;
    ranges.push_back({watch.at.value, watch.at.value + watch.size, reads});
  }
  return ranges;
}

const Task* Walker::any_task() const {
  if (const Task* leader = session_.find(orders_.process)) return leader;
  for (const auto& [tid, task] : session_.tasks()) {
    if (task->process == orders_.process) return task.get();
  }
  return nullptr;
}

void Walker::remember() {
  watched_.clear();
  const Task* task = any_task();
  if (!orders_.stops || task == nullptr) return;
  for (const Stops::Watch& watch : orders_.stops->watches) {
    watched_.push_back(task->space->memory().read_some(watch.at, watch.size));
  }
}

// The first watch whose memory has changed, or that was touched in another way it wants to know of; from now on the
// content is known.
std::optional<Stops::Watch> Walker::touched(const Event* event) {
  const Task* task = any_task();
  if (!orders_.stops || orders_.stops->watches.empty() || task == nullptr) return std::nullopt;
  const std::vector<Bytes> before = watched_;
  remember();
  const std::uint32_t accessed = std::exchange(machine_.accessed, 0);
  const auto& watches = orders_.stops->watches;
  for (std::size_t i = 0; i < watches.size(); ++i) {
    if (watches[i].kind != Kind::Read && i < before.size() && before[i] != watched_[i]) return watches[i];
    if (watches[i].kind == Kind::Write) continue;
    // The processor reports writes, too, where reads are watched for.
    if (watches[i].kind == Kind::Read && i < before.size() && before[i] != watched_[i]) continue;
    if (words_.empty() && (accessed >> i & 1) != 0) return watches[i];
    for (std::size_t word = 0; word < words_.size(); ++word) {
      if (word_watch_[word] == i && (accessed >> word & 1) != 0) return watches[i];
    }
    if (watches[i].kind == Kind::Store && event != nullptr && writes(*event, watches[i])) return watches[i];
  }
  return std::nullopt;
}

}  // namespace tmrec::replayer
