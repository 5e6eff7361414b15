// The generic engine over the table: which memory a call reads, which the kernel has written.
//
// capture_inputs: what dump shows and replay compares, at entry; shortened to the limits in emit.h.
// note_entry, capture_outputs: every byte the kernel may have written for the program, given the result.
// capture_while_blocked: what the kernel changes when the call starts to wait.
//
// Calls that depend on more than arguments and their pointees have a family: net.h, ioctl.h, process.h, fs.h.
// Not covered: a datagram whose checksum fails after it was copied leaves its bytes behind the returned length
// (net/core/datagram.c, skb_copy_and_csum_datagram_msg); and a stream read that faults midway may have copied more than
// it returns.
#pragma once

#include "syscalls/emit.h"
#include "syscalls/fs.h"
#include "syscalls/ioctl.h"
#include "syscalls/net.h"
#include "syscalls/notes.h"
#include "syscalls/numbers.h"
#include "syscalls/process.h"
#include "syscalls/table.h"

namespace tmrec::syscalls {

namespace detail {

inline constexpr std::int64_t kFault = -14;  // -EFAULT
inline constexpr std::uint32_t kRead = 0, kPread = 17, kReadv = 19, kPreadv = 295, kPreadv2 = 327, kGetsockopt = 55,
                               kExecve = 59, kExecveat = 322;

// A length given in an argument. int and unsigned parameters use the register's lower half; a negative int is no
// length.
constexpr std::uint64_t length_argument(const Signature& s, const Call& call, unsigned i) {
  switch (s.args[i].type) {
    case Type::Int: {
      const auto v = static_cast<std::int32_t>(call.args[i]);
      return v < 0 ? 0 : static_cast<std::uint64_t>(v);
    }
    case Type::Uint:
      return call.args[i] & 0xffffffff;
    default:
      return call.args[i];
  }
}

constexpr std::uint64_t words(std::uint64_t bits) { return (bits + 63) / 64 * 8; }

// The most that can be read or written at argument i, in bytes.
constexpr std::uint64_t room(const Signature& s, const Call& call, unsigned i, const EntryNotes& notes) {
  const Arg& a = s.args[i];
  const std::uint64_t n = a.rule == Rule::Fixed || a.rule == Rule::UpTo ? 1 : length_argument(s, call, a.from);
  switch (a.rule) {
    case Rule::Fixed:
    case Rule::UpTo:
      return a.size;
    case Rule::Count:
    case Rule::Returned:
      return smaller(n, abi::kMaxTransfer) * a.size;
    case Rule::ValueResult:
      return notes.capacity * a.size;
    case Rule::Message:
      return 8 + smaller(n, abi::kMaxTransfer);
    case Rule::FdSet:
      return words(n);
    case Rule::NodeMask:
      return n ? words(smaller(n - 1, 1u << 20)) : 0;
    case Rule::Pages:
      return smaller((n + 4095) / 4096, abi::kMaxTransfer);
  }
  return 0;
}

// What of it a call that returned `ret` has written.
template <class Mem>
std::uint64_t written(const Signature& s, const Call& call, unsigned i, const EntryNotes& notes, std::int64_t ret,
                      Mem& mem) {
  const Arg& a = s.args[i];
  const std::uint64_t most = room(s, call, i, notes);
  const auto n = static_cast<std::uint64_t>(ret);
  if (a.rule == Rule::Returned) return smaller(n * a.size, most);
  if (a.rule == Rule::Message) return smaller(8 + n, most);
  if (a.rule != Rule::ValueResult) return most;
  std::uint32_t result = 0;
  return fetch(mem, call.args[a.from], result) ? smaller(std::uint64_t{result} * a.size, most) : most;
}

constexpr bool happened(When when, std::int64_t ret) {
  switch (when) {
    case When::Success:
      return ret >= 0;
    case When::Positive:
      return ret > 0;
    case When::Interrupted:
      return was_interrupted(ret) || ret == 0;
    case When::Always:
    case When::Waiting:
      return true;
  }
  return true;
}

constexpr bool is_file_read(std::uint32_t nr) {
  return nr == kRead || nr == kPread || nr == kReadv || nr == kPreadv || nr == kPreadv2;
}

template <class Mem, class Sink>
void put_memory_output(const Signature& s, const Call& call, unsigned i, const EntryNotes& notes, std::int64_t ret,
                       Mem& mem, Sink& sink) {
  const Arg& a = s.args[i];
  const std::uint64_t most = room(s, call, i, notes);
  // A bound that the kernel need not have reached may lie outside the program's memory.
  const bool exact = a.rule == Rule::Returned || a.rule == Rule::ValueResult || a.rule == Rule::Message ||
                     (a.rule == Rule::Fixed && call.nr != kIoctlNumber);
  const bool perhaps = ret < 0 || a.when == When::Interrupted || (notes.whole_buffers && is_file_read(call.nr));
  if (perhaps || !exact) return put_readable_output(mem, sink, call.args[i], most);
  put_output(sink, call.args[i], written(s, call, i, notes, ret, mem));
}

template <class Mem, class Sink>
void put_iovec_output(const Signature& s, const Call& call, unsigned i, const EntryNotes& notes, std::int64_t ret,
                      Mem& mem, Sink& sink) {
  const bool all = ret < 0 || (notes.whole_buffers && is_file_read(call.nr));
  const std::uint64_t limit = all ? abi::kMaxTransfer : static_cast<std::uint64_t>(ret);
  each_iovec(mem, call.args[i], length_argument(s, call, s.args[i].from), limit,
             [&](std::uint64_t base, std::uint64_t n) {
               if (all)
                 put_readable_output(mem, sink, base, n);
               else
                 put_output(sink, base, n);
             });
}

// struct file_handle: the first word is the room for its bytes, and the size needed when that was too small
// (fs/fhandle.c).
template <class Mem, class Sink>
void put_handle_output(std::uint64_t addr, const EntryNotes& notes, Mem& mem, Sink& sink) {
  put_readable_output(mem, sink, addr, 8 + smaller(notes.capacity, 128));  // MAX_HANDLE_SZ
}

template <class Mem, class Sink>
void put_argument_output(const Signature& s, const Call& call, unsigned i, const EntryNotes& notes, std::int64_t ret,
                         Mem& mem, Sink& sink) {
  const Arg& a = s.args[i];
  if (!call.args[i] || (ret != kFault && !happened(a.when, ret))) return;
  switch (a.shape) {
    case Shape::Value:
    case Shape::String:
    case Shape::Strings:
      return;
    case Shape::Memory:
      return put_memory_output(s, call, i, notes, ret, mem, sink);
    case Shape::Iovec:
      return put_iovec_output(s, call, i, notes, ret, mem, sink);
    case Shape::Msghdr:
      return put_message_output(mem, sink, call.args[i], ret, notes.capacity, notes.second);
    case Shape::Mmsghdr:
      return put_messages_received(mem, sink, call.args[i], length_argument(s, call, a.from), ret);
    case Shape::FileHandle:
      return put_handle_output(call.args[i], notes, mem, sink);
  }
}

template <class Mem, class Sink>
void put_strings_input(Mem& mem, Sink& sink, std::uint64_t array, std::uint64_t most) {
  for (std::uint64_t i = 0; array && i < most; ++i) {
    std::uint64_t string = 0;
    if (!fetch(mem, array + i * 8, string)) return;
    sink.input(array + i * 8, 8);
    if (!string) return;
    put_string_input(mem, sink, string);
  }
}

template <class Mem, class Sink>
void put_argument_input(const Signature& s, const Call& call, unsigned i, Mem& mem, Sink& sink) {
  const Arg& a = s.args[i];
  const std::uint64_t at = call.args[i];
  if (!at) return;
  switch (a.shape) {
    case Shape::Value:
      return;
    case Shape::String:
      put_string_input(mem, sink, at);
      return;
    case Shape::Strings: {
      const bool environment = i > 0 && s.args[i - 1].shape == Shape::Strings;
      return put_strings_input(mem, sink, at, environment ? kShownElements : kShownArguments);
    }
    case Shape::Memory: {
      const bool data = a.type == Type::Raw && a.rule == Rule::Count;
      return reads(a) ? put_input(mem, sink, at, smaller(room(s, call, i, {}), data ? kShownData : kShownStruct))
                      : void();
    }
    case Shape::Iovec:
      return put_iovec_inputs(mem, sink, at, length_argument(s, call, a.from), reads(a));
    case Shape::Msghdr:
      return put_message_input(mem, sink, at, reads(a));
    case Shape::Mmsghdr:
      return put_messages_input(mem, sink, at, length_argument(s, call, a.from), reads(a));
    case Shape::FileHandle:
      return put_input(mem, sink, at, 8);
  }
}

}  // namespace detail

// With the signature of the call, where it is needed more than once, or without.
template <class Mem, class Sink>
void capture_inputs(const Signature& s, const Call& call, Mem& mem, Sink& sink) {
  for (unsigned i = 0; i < s.nargs; ++i) detail::put_argument_input(s, call, i, mem, sink);
  if (call.nr == number::kSetxattrat) put_xattr_input(call.args[4], mem, sink);
}

template <class Mem, class Sink>
void capture_inputs(const Call& call, Mem& mem, Sink& sink) {
  capture_inputs(signature(call), call, mem, sink);
}

template <class Mem>
EntryNotes note_entry(const Signature& s, const Call& call, Mem& mem) {
  EntryNotes notes;
  for (unsigned i = 0; i < s.nargs; ++i) {
    const Arg& a = s.args[i];
    std::uint32_t n = 0;
    if (!writes(a) || !call.args[i]) continue;
    if (a.shape == Shape::Msghdr) note_message(mem, call.args[i], notes);
    if (a.shape == Shape::FileHandle && fetch(mem, call.args[i], n)) notes.capacity = n;
    // A negative length fails; the kernel's own bound of any such value is far below.
    if (a.rule == Rule::ValueResult && fetch(mem, call.args[a.from], n)) notes.capacity = n <= 0x7fffffff ? n : 0;
  }
  if (call.nr == kIoctlNumber) note_ioctl(call, mem, notes);
  return notes;
}

template <class Mem>
EntryNotes note_entry(const Call& call, Mem& mem) {
  return note_entry(signature(call), call, mem);
}

// `ret` as a tracer sees it, restart codes included. Call it with the memory as the kernel has left it.
template <class Mem, class Sink>
void capture_outputs(const Signature& s, const Call& call, const EntryNotes& notes, std::int64_t ret, Mem& mem,
                     Sink& sink) {
  if (s.row->policy == Policy::Refuse) return;
  for (unsigned i = 0; i < s.nargs; ++i) {
    const bool has_own_rule = call.nr == detail::kGetsockopt && i == 3;
    if (writes(s.args[i]) && !has_own_rule) detail::put_argument_output(s, call, i, notes, ret, mem, sink);
  }
  switch (call.nr) {
    case detail::kGetsockopt:
      put_option_output(call, notes, mem, sink);
      break;
    case kIoctlNumber:
      nested_ioctl_outputs(call, notes, mem, sink);
      break;
    case kCloneNumber:
    case kClone3Number:
      put_clone_outputs(call, ret, mem, sink);
      break;
    case number::kGetxattrat:
      if (ret > 0 || ret == detail::kFault) put_xattr_output(call.args[4], ret, mem, sink);
      break;
    case 307:  // sendmmsg
      if (ret > 0 || ret == detail::kFault)
        put_messages_sent(sink, call.args[1], detail::length_argument(s, call, 2), ret);
      break;
    default:
      break;
  }
}

template <class Mem, class Sink>
void capture_outputs(const Call& call, const EntryNotes& notes, std::int64_t ret, Mem& mem, Sink& sink) {
  capture_outputs(signature(call), call, notes, ret, mem, sink);
}

template <class Mem, class Sink>
void capture_while_blocked(const Call& call, Mem& mem, Sink& sink) {
  const Signature s = signature(call);
  for (unsigned i = 0; i < s.nargs; ++i)
    if (writes(s.args[i]) && s.args[i].when == When::Waiting)
      put_readable_output(mem, sink, call.args[i], s.args[i].size);
}

}  // namespace tmrec::syscalls
