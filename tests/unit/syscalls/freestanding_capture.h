// Capture compiled as the agent will compile it; see freestanding_capture.cc.
#pragma once

#include <cstdint>

namespace tmrec::syscalls::test {

// Bytes of memory that a call of this process which returned `ret` names as input and output.
std::uint64_t freestanding_capture(std::uint32_t nr, const std::uint64_t (&args)[6], std::int64_t ret);

}  // namespace tmrec::syscalls::test
