// A broken invariant of tmrec's own: not something the world did to us. It ends the recording or replay in an orderly
// way (tasks released, the trace closed), also in release builds, so it is an exception and not an abort.
#pragma once

#include <cstring>
#include <source_location>
#include <stdexcept>
#include <string>

namespace tmrec {

struct BrokenInvariant : std::runtime_error {
  using std::runtime_error::runtime_error;
};

[[noreturn]] inline void throw_broken(const std::string& what, int err = 0,
                                      std::source_location where = std::source_location::current()) {
  std::string text = std::string(where.file_name()) + ":" + std::to_string(where.line()) + ": " + what;
  if (err != 0) text += std::string(": ") + std::strerror(err);
  throw BrokenInvariant(text);
}

inline void require(bool condition, const char* what, std::source_location where = std::source_location::current()) {
  if (!condition) [[unlikely]]
    throw_broken(what, 0, where);
}

}  // namespace tmrec
