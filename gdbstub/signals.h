// Signal numbers as the protocol counts them (gdb/signals.def in GDB: the same on all systems) and as Linux does.
#pragma once

#include <cstdint>

namespace tmrec::gdbstub {

std::uint8_t protocol_signal(int linux_signal);
// 0: none that Linux has.
int linux_signal(std::uint64_t protocol_signal);

}  // namespace tmrec::gdbstub
