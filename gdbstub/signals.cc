#include "gdbstub/signals.h"

#include <array>

namespace tmrec::gdbstub {

namespace {

constexpr std::uint8_t kUnknown = 143;

// Index: Linux's number on x86-64 (signal(7)), up to the real-time signals.
constexpr std::array<std::uint8_t, 32> kProtocol{0,        1,  2,  3,  4,  5,  6,  10, 8,  9,  30, 11, 31, 13, 14, 15,
                                                 kUnknown, 20, 19, 17, 18, 21, 22, 16, 24, 25, 26, 27, 28, 23, 32, 12};

}  // namespace

std::uint8_t protocol_signal(int linux_signal) {
  if (linux_signal < 0 || linux_signal > 64) return kUnknown;
  if (linux_signal < 32) return kProtocol[static_cast<std::size_t>(linux_signal)];
  if (linux_signal == 32) return 77;
  if (linux_signal == 64) return 78;
  return static_cast<std::uint8_t>(linux_signal + 12);
}

int linux_signal(std::uint64_t number) {
  for (int signal = 1; signal <= 64 && number != kUnknown; ++signal) {
    if (protocol_signal(signal) == number) return signal;
  }
  return 0;
}

}  // namespace tmrec::gdbstub
