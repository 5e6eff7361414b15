// Words for writing rows: `call(0, "read", fd, filled(2), count).waits()`.
#pragma once

#include "syscalls/abi.h"
#include "syscalls/row.h"

namespace tmrec::syscalls::spell {

// Values.
constexpr Arg value(Type t) { return {.type = t}; }
inline constexpr Arg num = value(Type::Int);
inline constexpr Arg unum = value(Type::Uint);
inline constexpr Arg hex = value(Type::Hex);
inline constexpr Arg octal = value(Type::Octal);
inline constexpr Arg count = value(Type::Size);
inline constexpr Arg offset = value(Type::Offset);
inline constexpr Arg ptr = value(Type::Pointer);
inline constexpr Arg fd = value(Type::Fd);
inline constexpr Arg dirfd = value(Type::DirFd);
inline constexpr Arg pid = value(Type::Pid);
inline constexpr Arg uid = value(Type::Uid);
inline constexpr Arg signo = value(Type::Signal);
inline constexpr Arg clock_id = value(Type::Clock);
inline constexpr Arg command = value(Type::Command);

// Memory.
inline constexpr Arg path = {.type = Type::Text, .shape = Shape::String, .dir = Dir::In};
inline constexpr Arg strings = {.type = Type::Text, .shape = Shape::Strings, .dir = Dir::In};

constexpr Arg in(Type t, unsigned size) {
  return {.type = t, .shape = Shape::Memory, .dir = Dir::In, .size = static_cast<std::uint16_t>(size)};
}
constexpr Arg out(Type t, unsigned size, When when = When::Success) {
  return {.type = t, .shape = Shape::Memory, .dir = Dir::Out, .when = when, .size = static_cast<std::uint16_t>(size)};
}
constexpr Arg inout(Type t, unsigned size, When when = When::Success) {
  return {.type = t, .shape = Shape::Memory, .dir = Dir::InOut, .when = when, .size = static_cast<std::uint16_t>(size)};
}

// The length of `a` follows rule r from args[i].
constexpr Arg sized(Arg a, Rule r, int i) {
  a.rule = r;
  a.from = static_cast<std::uint8_t>(i);
  return a;
}
// args[i] elements of size bytes.
constexpr Arg in_array(int i, unsigned size = 1, Type t = Type::Raw) { return sized(in(t, size), Rule::Count, i); }
constexpr Arg out_array(int i, unsigned size = 1, Type t = Type::Raw, When w = When::Success) {
  return sized(out(t, size, w), Rule::Count, i);
}
// A buffer of args[i] elements, of which the kernel fills as many as it returns.
constexpr Arg filled(int i, unsigned size = 1, Type t = Type::Raw) {
  return sized(out(t, size, When::Positive), Rule::Returned, i);
}
// A buffer whose length is a value-result u32 at args[i].
constexpr Arg value_result(int i, Type t, unsigned size = 1) { return sized(out(t, size), Rule::ValueResult, i); }
constexpr Arg up_to(unsigned size, When w = When::Success, Type t = Type::Raw) {
  return sized(out(t, size, w), Rule::UpTo, 0);
}

constexpr Arg iov(Dir d, int i) {
  return {
      .type = Type::Raw, .shape = Shape::Iovec, .dir = d, .when = When::Positive, .from = static_cast<std::uint8_t>(i)};
}
constexpr Arg message(Dir d) { return {.type = Type::Raw, .shape = Shape::Msghdr, .dir = d}; }
constexpr Arg messages(Dir d, int i) {
  return {.type = Type::Raw,
          .shape = Shape::Mmsghdr,
          .dir = d,
          .when = When::Positive,
          .from = static_cast<std::uint8_t>(i)};
}

inline constexpr Arg sigset_in = in(Type::Sigset, abi::kSigset);
inline constexpr Arg timespec_in = in(Type::Timespec, abi::kTimespec);
inline constexpr Arg flags_of(Type t) { return value(t); }

// Rows.
template <class... A>
constexpr Row call(std::uint32_t nr, const char* name, A... args) {
  static_assert(sizeof...(A) <= 6);
  return Row{.nr = nr, .name = name, .args = {args...}, .nargs = sizeof...(A)};
}
// A number the x86-64 kernel has reserved and answers with ENOSYS.
constexpr Row absent(std::uint32_t nr, const char* name) {
  return call(nr, name).refused(38, "not implemented by x86-64 Linux");
}

// Commands.
template <class... A>
constexpr Command cmd(std::uint64_t number, const char* name, A... args) {
  static_assert(sizeof...(A) <= kMaxCommandArgs);
  return Command{.number = number, .name = name, .args = {args...}, .nargs = sizeof...(A)};
}

}  // namespace tmrec::syscalls::spell
