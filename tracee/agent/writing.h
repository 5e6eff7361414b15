// Records as the agent writes them (format/call_record.h): memory, registers and ticks of the task that runs it.
//
// Part of one translation unit (calls.cc), freestanding.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tracee/agent/layout.h"

extern "C" {
// entry.S
std::uint64_t tmrec_agent_copy(void* to, const void* from, std::uint64_t size);
std::uint64_t tmrec_agent_commit(const std::uint32_t* ask, std::uint64_t* used, std::uint64_t value);
}

namespace tmrec::agent {
namespace {

// Memory of the program, by its own addresses, which may be bad.
struct LocalMemory {
  bool read(std::uint64_t addr, void* to, std::size_t size) {
    return tmrec_agent_copy(to, reinterpret_cast<const void*>(addr), size) == 0;
  }
};

CallWords words_of(const Area& area, bool reads_fs_base) {
  const SavedRegs& r = area.call;
  std::uint64_t fs_base = 0;
  if (reads_fs_base) asm volatile("rdfsbase %0" : "=r"(fs_base));
  return {{r.rax, r.rbx, r.rdx, r.rsi, r.rdi, r.rbp, r.rsp, r.r8, r.r9, r.r10, r.r12, r.r13, r.r14, r.r15, r.rip,
           r.flags, fs_base}};
}

std::uint64_t ticks_left(const Area& area) {
  return *reinterpret_cast<const volatile std::uint64_t*>(area.known + patch::TaskArea::kCounter);
}

// Writes a record behind those that are there; nobody sees it before it is committed. Must be made before the call is.
class Recorder {
 public:
  explicit Recorder(const Area& area)
      : header_(*reinterpret_cast<RingHeader*>(kRing)), words_(words_of(area, (header_.flags & kReadsFsBase) != 0)) {
    begin_ = kRing + sizeof header_ + header_.used;
    end_ = kRing + sizeof header_ + header_.room;
    at_ = begin_ + sizeof(CallRecord);
    overflowed_ = !has_room(sizeof words_);
    if (overflowed_) return;
    for (std::size_t i = 0; i < kCallWords; ++i) {
      if (words_.at[i] == header_.last.at[i]) continue;
      changed_ |= 1u << i;
      *reinterpret_cast<std::uint64_t*>(at_) = words_.at[i];
      at_ += sizeof(std::uint64_t);
    }
  }
  bool has_room(std::uint64_t size) const { return at_ + size <= end_; }
  bool overflowed() const { return overflowed_; }

  void input(std::uint64_t addr, std::uint64_t size) { add(addr, size, true); }
  void output(std::uint64_t addr, std::uint64_t size) { add(addr, size, false); }

  void commit(const Area& area, std::int64_t ret, RecordKind kind = RecordKind::Complete) {
    const std::uint64_t used = finish(area, ret, kind);
    asm volatile("" : : : "memory");
    header_.used = used;
  }
  // Of a call that will wait. False: not written, the supervisor wants to be asked.
  bool commit_enter(const Area& area) {
    const std::uint64_t used = finish(area, 0, RecordKind::Enter);
    asm volatile("" : : : "memory");
    return tmrec_agent_commit(&area.conduct.ask, &header_.used, used) != 0;
  }
  // Nobody has seen that record, and none stands behind it: it becomes one of the whole call.
  void reopen() { header_.used = begin_ - kRing - sizeof header_; }

 private:
  std::uint64_t finish(const Area& area, std::int64_t ret, RecordKind kind) {
    auto& record = *reinterpret_cast<CallRecord*>(begin_);
    const auto size = static_cast<std::uint32_t>(at_ - begin_);
    // A record that lacks memory must not be taken for a whole one: the recording ends there.
    record.size = overflowed_ ? 0 : size | static_cast<std::uint32_t>(kind);
    record.changed = changed_;
    record.extents = extents_;
    record.ret = ret;
    record.ticks_left = ticks_left(area);
    for (std::uint32_t rest = changed_; rest != 0; rest &= rest - 1) {
      const auto i = static_cast<std::size_t>(__builtin_ctz(rest));
      header_.last.at[i] = words_.at[i];
    }
    return begin_ - kRing - sizeof header_ + (overflowed_ ? sizeof record : size);
  }

  void add(std::uint64_t addr, std::uint64_t size, bool is_input) {
    if (size == 0) return;
    if (!has_room(sizeof(CallExtent) + size + 8) || extents_ == CallRecord::kMostExtents) {
      overflowed_ = true;
      return;
    }
    auto& extent = *reinterpret_cast<CallExtent*>(at_);
    auto* bytes = reinterpret_cast<std::uint8_t*>(at_ + sizeof extent);
    const std::uint64_t missing = tmrec_agent_copy(bytes, reinterpret_cast<const void*>(addr), size);
    if (missing == size) return;
    size -= missing;
    extent.addr = addr;
    extent.size = static_cast<std::uint32_t>(size);
    extent.is_input = is_input ? 1 : 0;
    at_ += sizeof extent + padded_to_word(size);
    ++extents_;
  }

  RingHeader& header_;
  const CallWords words_;
  std::uint64_t begin_, at_, end_;
  std::uint32_t changed_ = 0, extents_ = 0;
  bool overflowed_ = false;
};

}  // namespace
}  // namespace tmrec::agent
