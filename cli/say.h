// tmrec's own words. They go to standard error, each line prefixed "tmrec: ", so that standard output stays the
// program's (record, replay) or the answer's (info, ls, dump, doctor).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "format/event.h"
#include "format/result.h"

namespace tmrec::cli {

enum class Level { Error, Warning, Info, Debug };

// What --log-level and -q set; Info until then.
void set_level(Level level);
Level level();

// Every line of the text, prefixed; nothing when the level is below the one set.
void say(Level level, std::string_view text);

// The exit status that stands for the kind of failure (tmrec(1), EXIT STATUS).
int exit_status(ErrorKind kind);

// Says the error and returns its exit status.
int report(const Error& error);

// One line on the terminal that rewrites itself; silent when standard error is no terminal or the level is below Info.
// The line appears only after half a second, and goes away at the end.
class Progress {
 public:
  explicit Progress(std::string what);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `total` 0: not known. Cheap enough to be called for each item.
  void update(std::uint64_t now, std::uint64_t total);

 private:
  std::string what_;
  bool enabled_;
  bool shown_ = false;
  std::uint64_t next_ns_;
};

}  // namespace tmrec::cli
