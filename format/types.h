// The vocabulary of values that cross folder borders. A bare uint64_t never does: a thread id, an address in a
// tracee and an event number are different things, and mixing them up must not compile.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace tmrec {

// A value of type Rep that is only comparable to, and assignable from, its own kind.
template <class Tag, class Rep>
struct Strong {
  Rep value{};

  constexpr Strong() = default;
  constexpr explicit Strong(Rep v) : value(v) {}
  friend constexpr auto operator<=>(const Strong&, const Strong&) = default;
};

// Thread id as the recorded program sees it (its PID namespace is the supervisor's). At replay the stub has another
// one; only replayer/ knows that one. A process is named by the Tid of its thread group leader.
using Tid = Strong<struct TidTag, std::int32_t>;

// Number of an event in the log of one trace; the first is 1. 0 means "before the first event".
using EventNo = Strong<struct EventNoTag, std::uint64_t>;

// Passages through tick sites by one task since its start.
using Ticks = Strong<struct TicksTag, std::uint64_t>;

// An address in a tracee. Never dereferenced by the supervisor.
struct RemoteAddr {
  std::uint64_t value{};

  constexpr RemoteAddr() = default;
  constexpr explicit RemoteAddr(std::uint64_t v) : value(v) {}
  friend constexpr auto operator<=>(const RemoteAddr&, const RemoteAddr&) = default;
  constexpr RemoteAddr operator+(std::uint64_t n) const { return RemoteAddr(value + n); }
  constexpr RemoteAddr operator-(std::uint64_t n) const { return RemoteAddr(value - n); }
  constexpr std::uint64_t operator-(RemoteAddr o) const { return value - o.value; }
};

inline constexpr std::uint64_t kPageSize = 4096;  // x86-64 ABI: the only base page size

constexpr std::uint64_t page_down(std::uint64_t a) { return a & ~(kPageSize - 1); }
constexpr std::uint64_t page_up(std::uint64_t a) { return (a + kPageSize - 1) & ~(kPageSize - 1); }

}  // namespace tmrec

template <class Tag, class Rep>
struct std::hash<tmrec::Strong<Tag, Rep>> {
  std::size_t operator()(const tmrec::Strong<Tag, Rep>& s) const noexcept { return std::hash<Rep>{}(s.value); }
};
