#include "cli/say.h"

#include <fmt/format.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <utility>

namespace tmrec::cli {
namespace {

Level current_level = Level::Info;

std::uint64_t monotonic_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

// One write, so that lines of several processes do not mix within a line.
void write_error(const std::string& text) {
  std::string_view rest = text;
  while (!rest.empty()) {
    const ssize_t n = ::write(STDERR_FILENO, rest.data(), rest.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;  // nowhere left to say it
    rest.remove_prefix(static_cast<std::size_t>(n));
  }
}

constexpr std::uint64_t kFirstProgressNs = 500'000'000;
constexpr std::uint64_t kProgressEveryNs = 100'000'000;

}  // namespace

void set_level(Level level) { current_level = level; }
Level level() { return current_level; }

void say(Level level, std::string_view text) {
  if (level > current_level) return;
  std::string out;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    out += fmt::format("tmrec: {}\n", text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  write_error(out);
}

int exit_status(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::Usage:
    case ErrorKind::BadTrace:
      return 2;
    case ErrorKind::Desync:
      return 3;
    case ErrorKind::Machine:
      return 4;
    case ErrorKind::NotExecutable:
      return 126;
    case ErrorKind::NotFound:
      return 127;
    case ErrorKind::System:
      break;
  }
  return 1;
}

int report(const Error& error) {
  say(Level::Error, error.text);
  return exit_status(error.kind);
}

Progress::Progress(std::string what)
    : what_(std::move(what)),
      enabled_(current_level >= Level::Info && ::isatty(STDERR_FILENO) == 1),
      next_ns_(monotonic_ns() + kFirstProgressNs) {}

Progress::~Progress() {
  if (shown_) write_error("\r\x1b[K");
}

void Progress::update(std::uint64_t now, std::uint64_t total) {
  if (!enabled_) return;
  const std::uint64_t time = monotonic_ns();
  if (time < next_ns_) return;
  next_ns_ = time + kProgressEveryNs;
  shown_ = true;
  const std::string amount =
      total == 0 ? fmt::format("{}", now)
                 : fmt::format("{} of {} ({} %)", now, total,
                               static_cast<unsigned>(static_cast<double>(now) * 100 / static_cast<double>(total)));
  write_error(fmt::format("\r\x1b[Ktmrec: {} {}", what_, amount));
}

}  // namespace tmrec::cli
