// Text of the structures that calls exchange with the kernel, abbreviated to what people look for.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "syscalls/row.h"

namespace tmrec::syscalls {

using ByteView = std::span<const std::uint8_t>;

// Text of a pointee; empty when the type has none or too few bytes of it were captured. `result` is the call's (poll:
// revents are shown when the bytes are an output).
std::string struct_text(Type type, ByteView bytes, bool output);

// "text\n" in quotes, escaped, at most `most` bytes, with ... behind when `total` is more than is shown.
std::string quoted(ByteView bytes, std::uint64_t total, std::uint64_t most = 32);
// The string that starts at the view: up to its NUL, with ... when that was not captured.
std::string quoted_string(ByteView bytes);

std::string sockaddr_text(ByteView bytes);
std::string siginfo_text(ByteView bytes);

}  // namespace tmrec::syscalls
