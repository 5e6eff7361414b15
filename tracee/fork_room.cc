#include "tracee/fork_room.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "tracee/call_room.h"

namespace tmrec::tracee {

namespace {

constexpr std::size_t kWordAt = 24;
constexpr std::size_t kSize = 32;
constexpr std::size_t kBehindCall = 2, kBranch = 5, kChild = 13;  // in the code

// syscall; mov %rax,%rcx; jrcxz child; jmp *word(%rip); child: mov $231 (exit_group),%eax; xor %edi,%edi; syscall; int3
constexpr std::array<std::uint8_t, kWordAt> kCode{0x0f, 0x05, 0x48, 0x89, 0xc1, 0xe3, 0x06, 0xff, 0x25, 0x0b, 0,   0, 0,
                                                  0xb8, 0xe7, 0,    0,    0,    0x31, 0xff, 0x0f, 0x05, 0xcc, 0xcc};

}  // namespace

std::optional<RemoteAddr> make_fork_room(const RemoteMemory& memory, RemoteAddr vdso, std::uint64_t size,
                                         RemoteAddr parent) {
  const std::size_t behind = call_room_offset(size);
  if (behind < kSize) return std::nullopt;
  const RemoteAddr room = vdso + (behind - kSize);
  const auto there = memory.get<std::array<std::uint8_t, kSize>>(room);
  if (!there) return std::nullopt;
  const bool is_room = std::equal(kCode.begin(), kCode.end(), there->begin());
  if (!is_room && std::ranges::any_of(*there, [](std::uint8_t byte) { return byte != 0; })) return std::nullopt;
  std::array<std::uint8_t, kSize> room_bytes{};
  std::ranges::copy(kCode, room_bytes.begin());
  std::memcpy(room_bytes.data() + kWordAt, &parent.value, sizeof parent.value);
  if (!memory.write(room.value, room_bytes.data(), room_bytes.size())) return std::nullopt;
  return room;
}

namespace {

// What lies there, if the task stands in it, and how far.
struct Inside {
  std::array<std::uint8_t, kSize> room;
  std::size_t at;
};
std::optional<Inside> inside(const RemoteMemory& memory, RemoteAddr vdso, std::uint64_t size, const Regs& regs) {
  const std::size_t behind = call_room_offset(size);
  const std::uint64_t room = vdso.value + behind - kSize;
  if (behind < kSize || regs.rip < room || regs.rip >= room + kWordAt) return std::nullopt;
  const auto there = memory.get<std::array<std::uint8_t, kSize>>(RemoteAddr(room));
  if (!there || !std::equal(kCode.begin(), kCode.end(), there->begin())) return std::nullopt;
  return Inside{*there, regs.rip - room};
}

}  // namespace

bool ends_in_fork_room(const RemoteMemory& memory, RemoteAddr vdso, std::uint64_t size, const Regs& regs) {
  const auto here = inside(memory, vdso, size, regs);
  if (!here) return false;
  if (here->at == kBehindCall) return regs.rax == 0;
  return here->at >= kChild || (here->at == kBranch && regs.rcx == 0);
}

std::optional<Regs> leave_fork_room(const RemoteMemory& memory, RemoteAddr vdso, std::uint64_t size, const Regs& regs) {
  const auto here = inside(memory, vdso, size, regs);
  if (!here) return std::nullopt;
  Regs left = regs;
  std::memcpy(&left.rip, here->room.data() + kWordAt, sizeof left.rip);
  left.orig_rax = ~std::uint64_t{0};
  return left;
}

}  // namespace tmrec::tracee
