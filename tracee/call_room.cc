#include "tracee/call_room.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace tmrec::tracee {

namespace {

// Registers that a call changes, and where to go back to, in the order of the words behind the code.
constexpr std::array kSaved{&Regs::rax, &Regs::rdi, &Regs::rsi, &Regs::rdx, &Regs::r10,
                            &Regs::r8,  &Regs::r9,  &Regs::rcx, &Regs::r11, &Regs::rip};
constexpr std::size_t kSyscallLength = 2;
constexpr std::size_t kWordsAt = 80;
constexpr std::size_t kRoomSize = kWordsAt + kSaved.size() * 8;

using Code = std::array<std::uint8_t, kWordsAt>;

// syscall; mov word(%rip),%register for each; jmp *word(%rip)
constexpr Code code_of_room() {
  Code code{};
  std::size_t at = 0;
  auto put = [&](std::initializer_list<int> bytes) {
    for (int byte : bytes) code[at++] = static_cast<std::uint8_t>(byte);
  };
  auto displacement = [&](std::size_t word) {
    const std::size_t distance = kWordsAt + word * 8 - (at + 4);
    put({static_cast<int>(distance), 0, 0, 0});
  };
  put({0x0f, 0x05});
  // REX.W or REX.WR, mov r64 from memory, ModRM of the register with rip-relative addressing (Intel SDM volume 2, 2.1).
  constexpr int kForms[9][2] = {{0x48, 0x05}, {0x48, 0x3d}, {0x48, 0x35}, {0x48, 0x15}, {0x4c, 0x15},
                                {0x4c, 0x05}, {0x4c, 0x0d}, {0x48, 0x0d}, {0x4c, 0x1d}};
  for (std::size_t i = 0; i < 9; ++i) {
    put({kForms[i][0], 0x8b, kForms[i][1]});
    displacement(i);
  }
  put({0xff, 0x25});
  displacement(9);
  return code;
}
constexpr Code kCode = code_of_room();

bool is_call_room(const RemoteMemory& memory, RemoteAddr at) {
  const auto there = memory.get<Code>(at);
  return there && *there == kCode;
}

}  // namespace

std::size_t call_room_offset(std::uint64_t size) {
  return size < kRoomSize ? 0 : (size - kRoomSize) & ~std::size_t{15};
}

RemoteAddr behind_call_in(RemoteAddr room) { return room + kSyscallLength; }

std::optional<RemoteAddr> make_call_room(const RemoteMemory& memory, RemoteAddr vdso, std::uint64_t size) {
  const Bytes image = memory.read_some(vdso, size);
  if (image.size() < kRoomSize) return std::nullopt;
  const std::size_t at = call_room_offset(image.size());
  const RemoteAddr room = vdso + at;
  if (is_call_room(memory, room)) return room;
  const auto from = image.begin() + static_cast<std::ptrdiff_t>(at);
  if (std::any_of(from, image.end(), [](std::uint8_t byte) { return byte != 0; })) return std::nullopt;
  if (!memory.write(room.value, kCode.data(), kCode.size())) return std::nullopt;
  return room;
}

bool save_in_call_room(const RemoteMemory& memory, RemoteAddr at, const Regs& regs) {
  if (!is_call_room(memory, at)) return false;
  std::array<std::uint64_t, kSaved.size()> words;
  for (std::size_t i = 0; i < words.size(); ++i) words[i] = regs.*kSaved[i];
  return memory.write(at.value + kWordsAt, words.data(), sizeof words);
}

std::optional<Regs> leave_call_room(const RemoteMemory& memory, RemoteAddr at, const Regs& regs) {
  if (regs.rip < at.value || regs.rip >= at.value + kWordsAt) return std::nullopt;
  const auto words = memory.get<std::array<std::uint64_t, kSaved.size()>>(at + kWordsAt);
  if (!words) return std::nullopt;
  Regs left = regs;
  for (std::size_t i = 0; i < words->size(); ++i) left.*kSaved[i] = (*words)[i];
  left.orig_rax = ~std::uint64_t{0};
  return left;
}

}  // namespace tmrec::tracee
