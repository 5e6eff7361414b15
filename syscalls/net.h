// Messages (struct msghdr and struct mmsghdr), and socket options.
#pragma once

#include "syscalls/emit.h"
#include "syscalls/notes.h"
#include "syscalls/row.h"

namespace tmrec::syscalls {

// --- messages
// ------------------------------------------------------------------------------------------------------------

template <class Mem, class Sink>
void put_message_input(Mem& mem, Sink& sink, std::uint64_t addr, bool sending) {
  abi::Msghdr h;
  if (!addr || !fetch(mem, addr, h)) return;
  sink.input(addr, sizeof h);
  put_iovec_inputs(mem, sink, h.iov, h.iovlen, sending);
  if (!sending) return;
  if (h.name && h.namelen > 0)
    put_input(mem, sink, h.name, smaller(static_cast<std::uint64_t>(h.namelen), abi::kSockaddrStorage));
  if (h.control) put_input(mem, sink, h.control, smaller(h.controllen, kShownStruct));
}

template <class Mem>
void note_message(Mem& mem, std::uint64_t addr, EntryNotes& notes) {
  abi::Msghdr h;
  if (!addr || !fetch(mem, addr, h)) return;
  notes.capacity = h.namelen > 0 ? static_cast<std::uint64_t>(h.namelen) : 0;
  notes.second = h.controllen;
}

// What receiving `received` bytes wrote: the header's lengths and flags, the name, the control data, the data.
// net/socket.c,
// ____sys_recvmsg: the name is cut to the room given, its full length is returned; put_cmsg (net/core/scm.c) advances
// controllen past what it wrote. A message that failed with -EFAULT may have filled any of it.
template <class Mem, class Sink>
void put_message_output(Mem& mem, Sink& sink, std::uint64_t addr, std::int64_t received, std::uint64_t name_room,
                        std::uint64_t control_room) {
  abi::Msghdr h;
  if (!addr || !fetch(mem, addr, h)) return;
  sink.output(addr + abi::kMsgNameLen, 4);
  sink.output(addr + abi::kMsgControlLen, 8 + 4);
  const bool fault = received < 0;
  const std::uint64_t name_len = h.namelen > 0 ? static_cast<std::uint64_t>(h.namelen) : 0;
  put_readable_output(mem, sink, h.name, smaller(name_room, fault ? abi::kSockaddrStorage : name_len));
  put_readable_output(mem, sink, h.control, fault ? control_room : smaller(control_room, h.controllen));
  const std::uint64_t limit = fault ? abi::kMaxTransfer : static_cast<std::uint64_t>(received);
  each_iovec(mem, h.iov, h.iovlen, limit, [&](std::uint64_t base, std::uint64_t n) {
    if (fault)
      put_readable_output(mem, sink, base, n);
    else
      put_output(sink, base, n);
  });
}

template <class Mem, class Sink>
void put_messages_input(Mem& mem, Sink& sink, std::uint64_t addr, std::uint64_t count, bool sending) {
  for (std::uint64_t i = 0; i < smaller(count, kShownElements); ++i)
    put_message_input(mem, sink, addr + i * abi::kMmsghdr, sending);
}

// recvmmsg: each message has its own length. The room for names at entry is not kept for up to 1,024 messages: a name
// is at most a sockaddr_storage, and capturing beyond its room is harmless.
template <class Mem, class Sink>
void put_messages_received(Mem& mem, Sink& sink, std::uint64_t addr, std::uint64_t count, std::int64_t ret) {
  const bool fault = ret < 0;
  const std::uint64_t n = smaller(fault ? count : static_cast<std::uint64_t>(ret), abi::kMaxIovecs);
  for (std::uint64_t i = 0; i < n; ++i) {
    const std::uint64_t message = addr + i * abi::kMmsghdr;
    std::uint32_t len = 0;
    if (!fetch(mem, message + abi::kMmsgLen, len)) return;
    put_message_output(mem, sink, message, fault ? -1 : static_cast<std::int64_t>(len), abi::kSockaddrStorage, ~0ull);
    sink.output(message + abi::kMmsgLen, 4);
  }
}

// sendmmsg writes the length of each message sent.
template <class Sink>
void put_messages_sent(Sink& sink, std::uint64_t addr, std::uint64_t count, std::int64_t ret) {
  const std::uint64_t n = smaller(ret < 0 ? count : static_cast<std::uint64_t>(ret), abi::kMaxIovecs);
  for (std::uint64_t i = 0; i < n; ++i) sink.output(addr + i * abi::kMmsghdr + abi::kMmsgLen, 4);
}

// --- options
// -------------------------------------------------------------------------------------------------------------

namespace sockopt {
inline constexpr std::uint32_t kSocket = 1, kTcp = 6, kPacket = 263, kXdp = 283;  // SOL_*
inline constexpr std::uint32_t kGetFilter = 26, kZerocopyReceive = 35, kRxRing = 5, kTxRing = 13;
}  // namespace sockopt

// Most options write no more than the length they return, some return another unit (SO_GET_FILTER: instructions of 8
// bytes), some a length larger than the room with an error. The room given is the bound of all, so all of it is
// captured.
template <class Mem, class Sink>
void put_option_output(const Call& call, const EntryNotes& notes, Mem& mem, Sink& sink) {
  const auto level = static_cast<std::uint32_t>(call.args[1]), option = static_cast<std::uint32_t>(call.args[2]);
  const std::uint64_t unit = level == sockopt::kSocket && option == sockopt::kGetFilter ? 8 : 1;
  put_readable_output(mem, sink, call.args[3], smaller(notes.capacity * unit, 1u << 20));
}

// Options whose effect is memory that the kernel goes on writing, or pages it maps.
constexpr bool option_shares_memory(const Call& call) {
  const auto level = static_cast<std::uint32_t>(call.args[1]), option = static_cast<std::uint32_t>(call.args[2]);
  if (level == sockopt::kTcp) return option == sockopt::kZerocopyReceive;
  if (level == sockopt::kPacket) return option == sockopt::kRxRing || option == sockopt::kTxRing;
  return level == sockopt::kXdp;
}

}  // namespace tmrec::syscalls
