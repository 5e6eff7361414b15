// ioctls whose structure points to, or is followed by, more memory that the kernel writes. The structures themselves
// are rows of ioctls.h.
#pragma once

#include "syscalls/emit.h"
#include "syscalls/notes.h"
#include "syscalls/row.h"

namespace tmrec::syscalls {

namespace request {
inline constexpr std::uint32_t kIfconf = 0x8912, kEthtool = 0x8946, kFiemap = 0xc020660b, kDedupe = 0xc0189436,
                               kSgIo = 0x2285, kPagemapScan = 0xc0606610, kProcmapQuery = 0xc0686611,
                               kTreeSearch2 = 0xc0709411;
constexpr unsigned type(std::uint64_t r) { return (r >> 8) & 0xff; }
inline constexpr unsigned kWireless = 0x8b;

// Families whose devices, guests or kernel threads write the program's memory at any time
// (Documentation/userspace-api/ioctl/ioctl-number.rst): KVM, vhost, VFIO, RDMA, DRM, userfaultfd.
constexpr bool shares_memory(std::uint64_t r) {
  constexpr unsigned kTypes[] = {0xae, 0xaf, 0x3b, 0x1b, 0x64, 0xaa};
  for (const unsigned t : kTypes)
    if (type(r) == t) return true;
  return false;
}
}  // namespace request

// Offsets in the structures: linux/if.h, linux/fs.h (procmap_query, pm_scan_arg), scsi/sg.h, linux/fiemap.h,
// linux/btrfs.h.
template <class Mem>
void note_ioctl(const Call& call, Mem& mem, EntryNotes& notes) {
  const std::uint64_t at = call.args[2];
  std::uint32_t a = 0, b = 0;
  switch (static_cast<std::uint32_t>(call.args[1])) {
    case request::kIfconf:
      fetch(mem, at, a);
      break;
    case request::kProcmapQuery:
      fetch(mem, at + 80, a), fetch(mem, at + 84, b);
      break;
    default:
      return;
  }
  notes.capacity = a;
  notes.second = b;
}

namespace detail {

template <class Mem, class Sink>
void ethtool_outputs(std::uint64_t ifreq, Mem& mem, Sink& sink) {
  std::uint64_t data = 0;
  std::uint32_t words[3] = {};
  if (!fetch(mem, ifreq + 16, data) || !fetch(mem, data, words)) return;
  constexpr std::uint32_t kGetStrings = 0x1b, kGetStatistics = 0x1d, kGetRegisters = 0x04;
  std::uint64_t len = 16384;  // larger than every structure of a fixed size
  if (words[0] == kGetStrings) len = 12 + words[2] * 32ull;
  if (words[0] == kGetStatistics) len = 8 + words[1] * 8ull;
  if (words[0] == kGetRegisters) len = 12 + static_cast<std::uint64_t>(words[2]);
  put_readable_output(mem, sink, data, len);
}

template <class Mem, class Sink>
void sg_io_outputs(std::uint64_t header, Mem& mem, Sink& sink) {
  std::uint8_t sense_room = 0;
  std::uint16_t pieces = 0;
  std::uint32_t len = 0;
  std::uint64_t data = 0, sense = 0;
  fetch(mem, header + 9, sense_room);
  fetch(mem, header + 10, pieces);
  fetch(mem, header + 12, len);
  fetch(mem, header + 16, data);
  fetch(mem, header + 32, sense);
  put_readable_output(mem, sink, sense, sense_room);
  if (!pieces) return put_readable_output(mem, sink, data, len);
  each_iovec(mem, data, pieces, len,
             [&](std::uint64_t base, std::uint64_t n) { put_readable_output(mem, sink, base, n); });
}

template <class Mem, class Sink>
void pointed_output(std::uint64_t pointer_at, std::uint64_t len, Mem& mem, Sink& sink) {
  std::uint64_t data = 0;
  if (fetch(mem, pointer_at, data)) put_readable_output(mem, sink, data, len);
}

}  // namespace detail

template <class Mem, class Sink>
void nested_ioctl_outputs(const Call& call, const EntryNotes& notes, Mem& mem, Sink& sink) {
  const std::uint64_t at = call.args[2];
  std::uint32_t n = 0;
  std::uint16_t n16 = 0;
  std::uint64_t n64 = 0;
  switch (static_cast<std::uint32_t>(call.args[1])) {
    case request::kIfconf:
      return detail::pointed_output(at + 8, notes.capacity, mem, sink);
    case request::kEthtool:
      return detail::ethtool_outputs(at, mem, sink);
    case request::kFiemap:
      if (fetch(mem, at + 24, n)) put_readable_output(mem, sink, at + 32, n * 56ull);
      return;
    case request::kDedupe:
      if (fetch(mem, at + 16, n16)) put_readable_output(mem, sink, at + 24, n16 * 32ull);
      return;
    case request::kSgIo:
      return detail::sg_io_outputs(at, mem, sink);
    case request::kPagemapScan:
      if (fetch(mem, at + 48, n64)) detail::pointed_output(at + 40, smaller(n64, 1u << 20) * 24, mem, sink);
      return;
    case request::kProcmapQuery:
      detail::pointed_output(at + 88, notes.capacity, mem, sink);
      return detail::pointed_output(at + 96, notes.second, mem, sink);
    case request::kTreeSearch2:
      if (fetch(mem, at + 104, n64)) put_readable_output(mem, sink, at + 112, n64);
      return;
    default:
      // struct iwreq: a struct iw_point may stand behind the name; its data is at most 64 KiB.
      if (call.args[1] >> 8 == request::kWireless) detail::pointed_output(at + 16, 65535, mem, sink);
  }
}

}  // namespace tmrec::syscalls
