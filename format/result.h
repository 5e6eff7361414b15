// What the operating system, the file system and a trace can do to us is a Result; the text names the path, the event
// or the address, and what to do. A broken invariant of our own is a BrokenInvariant exception (see check.h).
#pragma once

#include <cerrno>
#include <cstring>
#include <expected>
#include <string>
#include <utility>

namespace tmrec {

// Why something failed; cli/ maps each to an exit status (docs: tmrec(1), EXIT STATUS).
enum class ErrorKind {
  Usage,          // 2: wrong options
  BadTrace,       // 2: damaged, foreign or newer trace
  Desync,         // 3: replay did something else than the recording
  Machine,        // 4: this machine lacks something tmrec needs
  NotExecutable,  // 126
  NotFound,       // 127
  System,         // 1: any other failed system call
};

struct Error {
  ErrorKind kind = ErrorKind::System;
  std::string text;  // one line without a trailing full stop or newline
};

template <class T = void>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(ErrorKind kind, std::string text) {
  return std::unexpected<Error>(Error{kind, std::move(text)});
}

// "what: strerror(err)"
inline std::unexpected<Error> fail_errno(std::string what, int err = errno, ErrorKind kind = ErrorKind::System) {
  return fail(kind, std::move(what) + ": " + std::strerror(err));
}

}  // namespace tmrec

#define TMREC_CONCAT_(a, b) a##b
#define TMREC_CONCAT(a, b) TMREC_CONCAT_(a, b)

// TMREC_TRY(auto x, expr): x is the value, or the enclosing function returns the error.
#define TMREC_TRY(decl, expr) TMREC_TRY_(TMREC_CONCAT(tmrec_try_, __LINE__), decl, expr)
#define TMREC_TRY_(tmp, decl, expr)                         \
  auto tmp = (expr);                                        \
  if (!tmp) return std::unexpected(std::move(tmp).error()); \
  decl = std::move(*tmp)

// TMREC_CHECKED(expr): for Result<void>.
#define TMREC_CHECKED(expr)                                                                                       \
  do {                                                                                                            \
    if (auto tmrec_checked_ = (expr); !tmrec_checked_) return std::unexpected(std::move(tmrec_checked_).error()); \
  } while (0)
