// What a call does to files: the data it sends through a descriptor (to repeat stdout and stderr at replay), and the
// file content it changes (which a task may have mapped).
#pragma once

#include "syscalls/emit.h"
#include "syscalls/row.h"

namespace tmrec::syscalls {

namespace detail {
inline constexpr std::uint32_t kWrite = 1, kOpen = 2, kIoctl = 16, kPwrite = 18, kWritev = 20, kSendfile = 40,
                               kSendto = 44, kSendmsg = 46, kTruncate = 76, kFtruncate = 77, kCreat = 85, kOpenat = 257,
                               kSplice = 275, kTee = 276, kVmsplice = 278, kFallocate = 285, kPwritev = 296,
                               kOpenByHandle = 304, kSendmmsg = 307, kCopyFileRange = 326, kPwritev2 = 328,
                               kOpenat2 = 437;
}  // namespace detail

// The descriptor that the call writes file or stream data to, or -1. vmsplice counts as writing; on the reading end of
// a pipe it reads.
constexpr int written_fd(const Call& call) {
  switch (call.nr) {
    case detail::kWrite:
    case detail::kPwrite:
    case detail::kWritev:
    case detail::kPwritev:
    case detail::kPwritev2:
    case detail::kSendto:
    case detail::kSendmsg:
    case detail::kSendmmsg:
    case detail::kSendfile:
    case detail::kVmsplice:
      return static_cast<int>(call.args[0]);
    case detail::kTee:
      return static_cast<int>(call.args[1]);
    case detail::kSplice:
    case detail::kCopyFileRange:
      return static_cast<int>(call.args[2]);
    default:
      return -1;
  }
}

// Whether written_data can name the data of a call with a written_fd; otherwise it came from another descriptor.
constexpr bool data_in_memory(const Call& call) {
  return written_fd(call) != -1 && call.nr != detail::kTee && call.nr != detail::kSplice &&
         call.nr != detail::kSendfile && call.nr != detail::kCopyFileRange;
}

// Names to sink.output, in order, the memory whose bytes a call that returned `ret` has written.
template <class Mem, class Sink>
void written_data(const Call& call, std::int64_t ret, Mem& mem, Sink& sink) {
  if (ret <= 0 || !data_in_memory(call)) return;
  const auto n = static_cast<std::uint64_t>(ret);
  const auto put = [&](std::uint64_t base, std::uint64_t len) { put_output(sink, base, len); };
  const auto put_message = [&](std::uint64_t message, std::uint64_t len) {
    abi::Msghdr h;
    if (fetch(mem, message, h)) each_iovec(mem, h.iov, h.iovlen, len, put);
  };
  switch (call.nr) {
    case detail::kWrite:
    case detail::kPwrite:
    case detail::kSendto:
      return put(call.args[1], smaller(n, call.args[2]));
    case detail::kSendmsg:
      return put_message(call.args[1], n);
    case detail::kSendmmsg:
      for (std::uint64_t i = 0; i < n; ++i) {
        const std::uint64_t message = call.args[1] + i * abi::kMmsghdr;
        std::uint32_t len = 0;
        if (fetch(mem, message + abi::kMmsgLen, len)) put_message(message, len);
      }
      return;
    default:
      return each_iovec(mem, call.args[1], call.args[2], n, put);
  }
}

struct FileEffect {
  enum class Kind : std::uint8_t {
    None,
    Write,     // the bytes [offset, offset + length) changed, and the size if they lie beyond it
    Truncate,  // the size is `length` now; bytes beyond are gone, a new tail is zero
    Allocate,  // content is the same, the size is at least offset + length
  };
  enum class Where : std::uint8_t {
    Offset,    // `offset` says where; but a descriptor with O_APPEND appends even so (pwrite(2), BUGS)
    Position,  // ended at the file position: [position - length, position)
    End,       // ended at the end of the file
    Path,      // of the file named by the string at `path`
  };
  static constexpr std::uint64_t kToEnd = ~0ull;  // as length

  Kind kind = Kind::None;
  Where where = Where::Offset;
  int fd = -1;               // the file; -1 with Where::Path
  std::uint64_t offset = 0;  // bytes
  std::uint64_t length = 0;  // bytes
  std::uint64_t path = 0;    // address of the file's name
};

namespace detail {

using Kind = FileEffect::Kind;
using Where = FileEffect::Where;

inline constexpr std::uint64_t kTrunc = 01000, kRwfAppend = 0x10;

// fallocate(2): a mode of 0 extends, KEEP_SIZE reserves only, the others change content.
constexpr FileEffect fallocate_effect(const Call& call) {
  constexpr std::uint64_t kKeepSize = 1, kCollapse = 8, kInsert = 0x20, kUnshare = 0x40;
  const std::uint64_t mode = call.args[1] & 0xffffffff;
  FileEffect e{.fd = static_cast<int>(call.args[0]), .offset = call.args[2], .length = call.args[3]};
  if (mode == 0 || mode == kUnshare)
    e.kind = Kind::Allocate;
  else if (mode == kKeepSize || mode == (kUnshare | kKeepSize))
    e.kind = Kind::None;
  else
    e.kind = Kind::Write;
  if (mode == kCollapse || mode == kInsert) e.length = FileEffect::kToEnd;
  return e;
}

template <class Mem>
FileEffect ioctl_effect(const Call& call, Mem& mem) {
  constexpr std::uint32_t kClone = 0x40049409, kCloneRange = 0x4020940d, kUnreserve = 0x40305829,
                          kUnreserve64 = 0x4030582b, kZeroRange = 0x40305839;
  FileEffect e{.kind = Kind::Write, .fd = static_cast<int>(call.args[0]), .length = FileEffect::kToEnd};
  switch (static_cast<std::uint32_t>(call.args[1])) {
    case kClone:
    case kUnreserve:  // struct space_resv counts from any of three places: all of the file is the safe answer
    case kUnreserve64:
    case kZeroRange:
      return e;
    case kCloneRange: {
      std::uint64_t length = 0;
      if (fetch(mem, call.args[2] + 16, length) && length) e.length = length;
      fetch(mem, call.args[2] + 24, e.offset);
      return e;
    }
    default:
      return {};
  }
}

template <class Mem>
bool opens_truncating(const Call& call, Mem& mem) {
  std::uint64_t flags = 0;
  switch (call.nr) {
    case kOpen:
      return call.args[1] & kTrunc;
    case kCreat:
      return true;
    case kOpenat:
    case kOpenByHandle:
      return call.args[2] & kTrunc;
    case kOpenat2:
      return fetch(mem, call.args[2], flags) && (flags & kTrunc);
    default:
      return false;
  }
}

// splice and copy_file_range move the offset at `pointer` on by what they wrote; without one, the file position.
template <class Mem>
FileEffect moved_effect(int fd, std::uint64_t pointer, std::uint64_t length, Mem& mem) {
  FileEffect e{.kind = Kind::Write, .where = pointer ? Where::Offset : Where::Position, .fd = fd, .length = length};
  std::uint64_t end = 0;
  if (pointer && fetch(mem, pointer, end)) e.offset = end - length;
  return e;
}

}  // namespace detail

// What file content a call that returned `ret` changed. Descriptors that are no files give effects too (a write to a
// pipe): the caller knows what it maps. Stores through shared mappings are not calls; MADV_REMOVE is a Memory call.
template <class Mem>
FileEffect file_effect(const Call& call, std::int64_t ret, Mem& mem) {
  using detail::Kind, detail::Where;
  if (ret < 0) return {};
  const auto n = static_cast<std::uint64_t>(ret);
  const int fd = static_cast<int>(call.args[0]);
  const FileEffect at_position{.kind = n ? Kind::Write : Kind::None, .where = Where::Position, .fd = fd, .length = n};
  const FileEffect at_offset{.kind = at_position.kind, .fd = fd, .offset = call.args[3], .length = n};
  switch (call.nr) {
    case detail::kWrite:
    case detail::kWritev:
    case detail::kSendfile:
      return at_position;
    case detail::kPwrite:
    case detail::kPwritev:
      return at_offset;
    case detail::kPwritev2:
      if (call.args[5] & detail::kRwfAppend)
        return {.kind = at_position.kind, .where = Where::End, .fd = fd, .length = n};
      return call.args[3] == ~0ull ? at_position : at_offset;
    case detail::kSplice:
    case detail::kCopyFileRange:
      return n ? detail::moved_effect(static_cast<int>(call.args[2]), call.args[3], n, mem) : FileEffect{};
    case detail::kTruncate:
      return {.kind = Kind::Truncate, .where = Where::Path, .length = call.args[1], .path = call.args[0]};
    case detail::kFtruncate:
      return {.kind = Kind::Truncate, .fd = fd, .length = call.args[1]};
    case detail::kFallocate:
      return detail::fallocate_effect(call);
    case detail::kIoctl:
      return detail::ioctl_effect(call, mem);
    default:
      if (detail::opens_truncating(call, mem)) return {.kind = Kind::Truncate, .fd = static_cast<int>(ret)};
      return {};
  }
}

}  // namespace tmrec::syscalls
