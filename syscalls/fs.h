// Extended attributes whose buffer is named in a structure (setxattrat, getxattrat), and what tells a direct-I/O
// program.
#pragma once

#include "syscalls/emit.h"
#include "syscalls/row.h"

namespace tmrec::syscalls {

namespace detail {
// struct xattr_args (include/uapi/linux/xattr.h, Linux 6.13)
struct XattrArgs {
  std::uint64_t value;
  std::uint32_t size, flags;
};
}  // namespace detail

template <class Mem, class Sink>
void put_xattr_input(std::uint64_t args, Mem& mem, Sink& sink) {
  detail::XattrArgs a;
  if (fetch(mem, args, a)) put_input(mem, sink, a.value, smaller(a.size, kShownData));
}

template <class Mem, class Sink>
void put_xattr_output(std::uint64_t args, std::int64_t ret, Mem& mem, Sink& sink) {
  detail::XattrArgs a;
  if (!fetch(mem, args, a)) return;
  put_readable_output(mem, sink, a.value, ret < 0 ? a.size : smaller(a.size, static_cast<std::uint64_t>(ret)));
}

// The call gives a descriptor direct I/O (O_DIRECT): from then on, set EntryNotes::whole_buffers.
template <class Mem>
bool opens_direct(const Call& call, Mem& mem) {
  constexpr std::uint64_t kDirect = 040000, kSetFlags = 4;
  std::uint64_t flags = 0;
  switch (call.nr) {
    case 2:
      return call.args[1] & kDirect;
    case 257:
      return call.args[2] & kDirect;
    case 304:
      return call.args[2] & kDirect;
    case 437:
      return fetch(mem, call.args[2], flags) && (flags & kDirect);
    case 72:
      return call.args[1] == kSetFlags && (call.args[2] & kDirect);
    default:
      return false;
  }
}

}  // namespace tmrec::syscalls
