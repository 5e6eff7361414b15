// How capture names memory to its sink.
//
// Mem:  bool read(std::uint64_t addr, void* dst, std::size_t n)   false: not all of it is readable
// Sink: void input(std::uint64_t addr, std::uint64_t len)         read by the call
//       void output(std::uint64_t addr, std::uint64_t len)        possibly written by the kernel
//
// Capturing more than was written is harmless as long as it is readable: replay writes what is there already. Capturing
// less is a desync. A length is therefore exact where the kernel's is known and the whole buffer where it is not. An
// output may be (partly) unreadable when the program gave the kernel a bad pointer or unmapped it meanwhile: the caller
// skips those parts.
#pragma once

#include <cstddef>
#include <cstdint>

#include "syscalls/abi.h"

namespace tmrec::syscalls {

inline constexpr std::uint64_t kShownData = 32;       // bytes of a written buffer kept for dump
inline constexpr std::uint64_t kShownStruct = 256;    // bytes of a structure or array kept for dump
inline constexpr std::uint64_t kShownString = 256;    // bytes of a string, with its NUL
inline constexpr std::uint64_t kShownElements = 4;    // iovecs, messages, environment strings
inline constexpr std::uint64_t kShownArguments = 16;  // of execve

constexpr std::uint64_t smaller(std::uint64_t a, std::uint64_t b) { return a < b ? a : b; }

template <class T, class Mem>
bool fetch(Mem& mem, std::uint64_t addr, T& value) {
  return mem.read(addr, &value, sizeof value);
}

// The readable start of [addr, addr + len), in whole pages but for its ends. The kernel copies in ascending order, so
// nothing behind the first bad page has been written.
template <class Mem>
std::uint64_t readable_prefix(Mem& mem, std::uint64_t addr, std::uint64_t len) {
  constexpr std::uint64_t kPage = 4096, kMost = 64u << 20;
  if (addr < kPage) return 0;
  const std::uint64_t wanted = smaller(len, kMost);
  std::uint64_t done = 0;
  while (done < wanted) {
    char probe;
    if (!mem.read(addr + done, &probe, 1)) break;
    done = smaller(wanted, done + kPage - (addr + done) % kPage);
  }
  return done;
}

template <class Sink>
void put_output(Sink& sink, std::uint64_t addr, std::uint64_t len) {
  if (addr && len) sink.output(addr, len);
}

template <class Mem, class Sink>
void put_readable_output(Mem& mem, Sink& sink, std::uint64_t addr, std::uint64_t len) {
  put_output(sink, addr, readable_prefix(mem, addr, len));
}

template <class Mem, class Sink>
void put_input(Mem& mem, Sink& sink, std::uint64_t addr, std::uint64_t len) {
  if (const std::uint64_t n = readable_prefix(mem, addr, len)) sink.input(addr, n);
}

// A string with its NUL, or its first kShownString bytes. Returns the length named to the sink.
template <class Mem, class Sink>
std::uint64_t put_string_input(Mem& mem, Sink& sink, std::uint64_t addr) {
  if (!addr) return 0;
  std::uint64_t len = 0;
  char piece[64];
  while (len < kShownString) {
    const std::uint64_t to_page_end = 4096 - (addr + len) % 4096;
    const std::uint64_t n = smaller(smaller(sizeof piece, kShownString - len), to_page_end);
    if (!mem.read(addr + len, piece, n)) break;
    for (std::uint64_t i = 0; i < n; ++i) {
      if (piece[i]) continue;
      sink.input(addr, len + i + 1);
      return len + i + 1;
    }
    len += n;
  }
  if (len) sink.input(addr, len);
  return len;
}

// Calls f(base, len) for the data of `count` iovecs, at most `limit` bytes of it.
template <class Mem, class F>
void each_iovec(Mem& mem, std::uint64_t iov, std::uint64_t count, std::uint64_t limit, F&& f) {
  count = smaller(count, abi::kMaxIovecs);
  for (std::uint64_t i = 0; i < count && limit; ++i) {
    abi::Iovec v{};
    if (!fetch(mem, iov + i * sizeof v, v)) return;
    const std::uint64_t n = smaller(v.len, limit);
    if (n) f(v.base, n);
    limit -= n;
  }
}

template <class Mem, class Sink>
void put_iovec_inputs(Mem& mem, Sink& sink, std::uint64_t iov, std::uint64_t count, bool with_data) {
  if (!iov || !count) return;
  const std::uint64_t shown = smaller(count, kShownElements);
  put_input(mem, sink, iov, shown * abi::kIovec);
  if (!with_data) return;
  each_iovec(mem, iov, shown, abi::kMaxTransfer,
             [&](std::uint64_t base, std::uint64_t n) { put_input(mem, sink, base, smaller(n, kShownData)); });
}

}  // namespace tmrec::syscalls
