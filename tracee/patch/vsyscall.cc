#include "tracee/patch/vsyscall.h"

#include <sys/syscall.h>

#include <algorithm>
#include <cstring>

namespace tmrec::patch {

namespace {

constexpr std::uint32_t kFunctionSize = 1024;
constexpr std::uint32_t kCalls[] = {SYS_gettimeofday, SYS_time, SYS_getcpu};

}  // namespace

std::optional<std::uint32_t> vsyscall_twin_of(const Insn& insn, Bytes bytes) {
  // mov $imm32,%r64: REX.W C7 /0
  if (insn.kind != Kind::Plain || insn.length != 7 || (bytes[0] & 0xfe) != 0x48 || bytes[1] != 0xc7)
    return std::nullopt;
  if ((bytes[2] & 0xf8) != 0xc0) return std::nullopt;
  std::uint32_t low;
  std::memcpy(&low, bytes.data() + 3, sizeof low);
  const std::uint32_t at = low - static_cast<std::uint32_t>(kVsyscallPage);
  if (at % kFunctionSize != 0 || at / kFunctionSize >= std::size(kCalls)) return std::nullopt;
  return static_cast<std::uint32_t>(kVsyscallTwin) + at;
}

// The kernel changes no register but rax.
std::vector<std::uint8_t> vsyscall_twin() {
  std::vector<std::uint8_t> page(kVsyscallTwinSize, 0xcc);
  for (std::size_t i = 0; i < std::size(kCalls); ++i) {
    std::uint8_t function[] = {0x51, 0x41, 0x53,          // push %rcx; push %r11
                               0xb8, 0,    0,    0,   0,  // mov $number,%eax
                               0x0f, 0x05,                // syscall
                               0x41, 0x5b, 0x59, 0xc3};   // pop %r11; pop %rcx; ret
    std::memcpy(function + 4, &kCalls[i], sizeof kCalls[i]);
    std::ranges::copy(function, page.begin() + static_cast<std::ptrdiff_t>(i * kFunctionSize));
  }
  return page;
}

}  // namespace tmrec::patch
