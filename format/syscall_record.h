// The bytes of an event record, and a writer for the record of a system call.
//
// Problem: the record of a system call is written on the hottest path there is, by the supervisor through
// format/codec.cc and, in place, by code inside the tracee that has no libc, no allocation and no exceptions.
// Solution: one fixed layout for the head of every record and for the whole of an ordinary system call, and a writer
// over a caller's buffer that fails by flag. The parts that few calls have (mappings, file changes, extended state)
// follow as an opaque attachment that only codec.cc understands.
// Rejected: a self-describing encoding for all (an order of magnitude slower, and it needs a library inside the
// tracee).
//
// Freestanding: the compiler may emit calls of memcpy, which every freestanding environment must provide (GCC manual,
// "Standards": memcpy, memmove, memset, memcmp). All numbers are little-endian, as the machine's.
//
//   RecordHead | SyscallRecord | extents: ExtentHead, bytes | attachment          kind == kSyscallKind
//   RecordHead | body, encoded by codec.cc                                        any other kind
#pragma once

#include <cstddef>
#include <cstdint>

#include "format/regs.h"

namespace tmrec {

// Index of the body in EventBody, plus one: a zeroed record is invalid.
inline constexpr std::uint8_t kSyscallKind = 1;

// What every record starts with.
struct RecordHead {
  std::uint32_t size = 0;  // bytes of the whole record, this field included
  std::uint8_t kind = 0;
  std::uint8_t reserved[3] = {};
  std::int32_t tid = 0;
  std::uint32_t reserved2 = 0;
  std::uint64_t number = 0;  // of the event
  std::uint64_t ticks = 0;
  std::uint64_t time_ns = 0;  // since the start of the recording
};
static_assert(sizeof(RecordHead) == 40);

struct SyscallRecord {
  static constexpr std::uint8_t kNoted = 1;  // flags

  std::uint8_t phase = 0;   // SyscallEvent::Phase
  std::uint8_t stream = 0;  // Stream
  std::uint8_t flags = 0;
  std::uint8_t reserved = 0;
  std::uint32_t extents = 0;          // how many follow
  std::uint32_t attachment_size = 0;  // bytes after the extents; 0: none
  std::uint32_t reserved2 = 0;
  std::int64_t ret = 0;
  Regs regs;
};
static_assert(sizeof(SyscallRecord) == 24 + sizeof(Regs));

struct ExtentHead {
  std::uint64_t addr = 0;
  std::uint32_t len = 0;   // bytes that follow, without padding
  std::uint8_t input = 0;  // 0 or 1
  std::uint8_t reserved[3] = {};
};
static_assert(sizeof(ExtentHead) == 16);

// Writes one record of a system call into a buffer that the caller owns and keeps. The buffer needs no alignment. Once
// something did not fit, everything after it is refused and finish() returns 0; nothing is written past the end.
class RecordWriter {
 public:
  RecordWriter(std::uint8_t* buffer, std::size_t capacity) : begin_(buffer), capacity_(capacity) {}

  // First, once. `head.size` and `head.kind`, `syscall.extents` and `syscall.attachment_size` are filled in by
  // finish().
  bool begin(const RecordHead& head, const SyscallRecord& syscall) {
    head_ = head;
    syscall_ = syscall;
    syscall_.extents = 0;
    syscall_.attachment_size = 0;
    return take(sizeof(RecordHead) + sizeof(SyscallRecord)) != nullptr;
  }

  // Adds an extent and returns where its `len` bytes go, or null when they don't fit. The bytes must be written before
  // anyone reads the record.
  std::uint8_t* reserve_extent(std::uint64_t addr, std::size_t len, bool input) {
    if (syscall_.attachment_size != 0 || len > UINT32_MAX - sizeof(ExtentHead)) overflow_ = true;
    std::uint8_t* at = take(sizeof(ExtentHead) + len);
    if (at == nullptr) return nullptr;
    ExtentHead extent;
    extent.addr = addr;
    extent.len = static_cast<std::uint32_t>(len);
    extent.input = input ? 1 : 0;
    __builtin_memcpy(at, &extent, sizeof extent);
    ++syscall_.extents;
    return at + sizeof extent;
  }

  bool extent(std::uint64_t addr, const std::uint8_t* bytes, std::size_t len, bool input) {
    std::uint8_t* at = reserve_extent(addr, len, input);
    if (at == nullptr) return false;
    if (len != 0) __builtin_memcpy(at, bytes, len);
    return true;
  }

  // Last, at most once.
  bool attachment(const std::uint8_t* bytes, std::size_t len) {
    if (syscall_.attachment_size != 0 || len > UINT32_MAX) overflow_ = true;
    std::uint8_t* at = take(len);
    if (at == nullptr) return false;
    if (len != 0) __builtin_memcpy(at, bytes, len);
    syscall_.attachment_size = static_cast<std::uint32_t>(len);
    return true;
  }

  bool ok() const { return !overflow_; }

  // Completes the heads and returns the size of the record in bytes; 0: it did not fit or was never begun.
  std::size_t finish() {
    if (overflow_ || used_ == 0) return 0;
    head_.size = static_cast<std::uint32_t>(used_);
    head_.kind = kSyscallKind;
    __builtin_memcpy(begin_, &head_, sizeof head_);
    __builtin_memcpy(begin_ + sizeof head_, &syscall_, sizeof syscall_);
    return used_;
  }

 private:
  std::uint8_t* take(std::size_t n) {
    if (overflow_ || n > capacity_ - used_ || n > UINT32_MAX - used_) {
      overflow_ = true;
      return nullptr;
    }
    std::uint8_t* at = begin_ + used_;
    used_ += n;
    return at;
  }

  std::uint8_t* begin_;
  std::size_t capacity_;
  std::size_t used_ = 0;
  bool overflow_ = false;
  RecordHead head_;
  SyscallRecord syscall_;
};

}  // namespace tmrec
