#include "recorder/call_ring.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "format/file_io.h"

namespace tmrec::recorder {

namespace {

constexpr unsigned long kHasFsgsbase = 2;  // HWCAP2_FSGSBASE, asm/hwcap2.h

}  // namespace

CallRing::CallRing(void* memory, Fd file, std::uint64_t room)
    : memory_(static_cast<std::uint8_t*>(memory)), file_(std::move(file)) {
  header().generation = 1;
  header().room = std::min(room, agent::kRecordsRoom);
  if ((getauxval(AT_HWCAP2) & kHasFsgsbase) != 0) header().flags = agent::kReadsFsBase;
}

Result<std::shared_ptr<CallRing>> CallRing::map(Fd file, const std::string& name, std::uint64_t room) {
  void* memory = file
                     ? mmap(nullptr, agent::kRingSize, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, file.get(), 0)
                     : MAP_FAILED;
  if (memory == MAP_FAILED) return fail_errno(name);
  return std::shared_ptr<CallRing>(new CallRing(memory, std::move(file), room));
}

Result<std::shared_ptr<CallRing>> CallRing::map(pid_t pid, int fd, std::uint64_t room) {
  const std::string path = fmt::format("/proc/{}/fd/{}", pid, fd);
  return map(Fd(open(path.c_str(), O_RDWR | O_CLOEXEC)), path, room);
}

Result<std::shared_ptr<CallRing>> CallRing::create(std::uint64_t room) {
  constexpr char kName[] = "calls";
  Fd file(memfd_create(kName, MFD_CLOEXEC));
  if (!file || ftruncate(file.get(), agent::kRingSize) < 0) return fail_errno("cannot create a memory file");
  return map(std::move(file), kName, room);
}

CallRing::~CallRing() { munmap(memory_, agent::kRingSize); }

// A task that has the baton back may still make one record of the beginning of its call and the end: then the beginning
// is not for good.
bool CallRing::may_be_reopened(agent::RecordKind kind) const {
  if (kind != agent::RecordKind::Enter) return false;
  const auto slot = static_cast<std::size_t>(std::ranges::find(slots_, holder_) - slots_.begin());
  return slot < slots_.size() && std::atomic_ref(header().slots[slot].state).load() == agent::SlotState::Ends;
}

Result<std::vector<CallRing::Calls>> CallRing::take(bool at_rest, bool for_good) {
  const auto damaged = [](const std::string& what) {
    return fail(ErrorKind::System, "the agent's records are damaged" + what);
  };
  const std::uint64_t used = header().used, begin = std::exchange(taken_, at_rest ? 0 : used);
  if (at_rest) header().used = 0;
  if (used > agent::kRecordsRoom || begin > used) return damaged("");
  // A program that writes there now damages its trace, which whoever reads it finds; nothing here trusts those bytes.
  std::span<const std::uint8_t> rest(memory_ + sizeof(agent::RingHeader) + begin, used - begin);
  std::vector<Calls> all;
  others_.clear();
  while (!rest.empty()) {
    std::uint32_t word = 0;
    if (rest.size() < sizeof(CallRecord)) return damaged("");
    std::memcpy(&word, rest.data(), sizeof word);
    const auto kind = static_cast<agent::RecordKind>(word & agent::kKindMask);
    std::span<const std::uint8_t> record = rest;
    if (kind != agent::RecordKind::Complete) {
      const std::uint32_t size = word & ~agent::kKindMask;
      if (size < sizeof(CallRecord) || size > rest.size()) return damaged("");
      Bytes& own = others_.emplace_back(rest.begin(), rest.begin() + size);
      std::memcpy(own.data(), &size, sizeof size);
      record = own;
    }
    const bool continues = kind == agent::RecordKind::Complete && !all.empty() && all.back().kind == kind;
    if (!continues) all.push_back({kind, holder_, last_, 0, 0, record.first(0)});
    std::span<const std::uint8_t> left = record;
    const CallWords before = last_;
    const auto call = take_call(left, last_);
    if (!call) return damaged(": " + call.error().text);
    const std::size_t size = record.size() - left.size();
    if (size == rest.size() && !at_rest && !for_good && may_be_reopened(kind)) {
      all.pop_back();
      last_ = before;
      taken_ = used - rest.size();
      break;
    }
    all.back().records = {all.back().records.data(), all.back().records.size() + size};
    ++all.back().count;
    all.back().ticks_left = call->record.ticks_left;
    rest = rest.subspan(size);
    if (kind > agent::RecordKind::Special) return damaged("");
    if (kind != agent::RecordKind::Switch) continue;
    holder_ = all.back().tid = in_slot(static_cast<std::uint32_t>(call->record.ret));
    if (holder_ == 0) return damaged("");
  }
  return all;
}

std::optional<std::uint32_t> CallRing::take_slot(pid_t tid) {
  const auto free = std::ranges::find(slots_, 0);
  const auto slot = static_cast<std::uint32_t>(free - slots_.begin());
  if (slot >= agent::kMaxSlots) return std::nullopt;
  if (free == slots_.end()) slots_.push_back(0);
  slots_[slot] = tid;
  set_running(slot);
  header().slots_used = static_cast<std::uint32_t>(slots_.size());
  return slot;
}

void CallRing::give_slot_back(std::uint32_t slot) {
  set_running(slot);
  slots_[slot] = 0;
}

pid_t CallRing::in_slot(std::uint32_t slot) const { return slot < slots_.size() ? slots_[slot] : 0; }

void CallRing::set_running(std::uint32_t slot) {
  std::atomic_ref(header().slots[slot].state).store(agent::SlotState::Runs);
}

std::vector<pid_t> CallRing::sleepers() const {
  std::vector<std::pair<std::uint64_t, pid_t>> found;
  for (std::uint32_t i = 0; i < slots_.size(); ++i) {
    const agent::SlotState state = std::atomic_ref(header().slots[i].state).load();
    const bool sleeps = state == agent::SlotState::Ready || state == agent::SlotState::Chosen;
    if (slots_[i] != 0 && sleeps) found.emplace_back(header().slots[i].turn, slots_[i]);
  }
  std::ranges::sort(found);
  std::vector<pid_t> tids;
  for (const auto& [turn, tid] : found) tids.push_back(tid);
  return tids;
}

std::uint32_t CallRing::baton() const { return std::atomic_ref(header().baton).load(); }

bool CallRing::take_baton(std::uint32_t from) {
  if (!std::atomic_ref(header().baton).compare_exchange_strong(from, agent::kSupervisors)) return false;
  ++header().changes;
  return true;
}

void CallRing::leave_baton(std::uint32_t to, std::uint32_t last_holder) {
  header().last = last_;
  header().last_holder = last_holder;
  holder_ = in_slot(last_holder);
  std::atomic_ref(header().baton).store(to);
}

void CallRing::wake(std::uint32_t slot) {
  syscall(SYS_futex, &header().slots[slot].state, FUTEX_WAKE, 1, nullptr, nullptr, 0);
}

}  // namespace tmrec::recorder
