#include "recorder/window.h"

#include <algorithm>

namespace tmrec::recorder {

Window::Window(const WindowSize& asked) : asked_(asked) { parts_.push_back({.first = EventNo(1)}); }

bool Window::due(Time now, std::uint64_t log, EventNo next) const {
  const Part& last = parts_.back();
  if (!ready(last)) return false;
  if (asked_.events != 0 && next.value - last.first.value >= asked_.events) return true;
  if (asked_.time.count() != 0 && now - last.began >= asked_.time / 4) return true;
  if (asked_.bytes == 0) return false;
  // Where snapshots are a large part of what may be held, the log between them must not become nothing.
  const std::uint64_t quarter = asked_.bytes / 4, least = asked_.bytes / 16;
  return log - last.log_at >= std::max(least, quarter - std::min(quarter, last.snapshots));
}

void Window::begin(EventNo first, Time now, std::uint64_t log, bool bridges) {
  parts_.push_back({.first = first, .began = now, .log_at = log, .segment = 0, .written = false, .bridges = bridges});
}

Window::Part* Window::find(EventNo first) {
  const auto found = std::ranges::find(parts_, first, &Part::first);
  return found == parts_.end() ? nullptr : &*found;
}

bool Window::is_passed_by(EventNo event) const {
  const auto part = std::ranges::find(parts_, event, &Part::first);
  return part != parts_.end() && part != parts_.begin() && !part->bridges;
}

void Window::in_segment(EventNo first, std::uint64_t segment) {
  if (Part* part = find(first)) part->segment = segment;
}

void Window::written(EventNo first, std::uint64_t snapshots) {
  Part* const part = find(first);
  if (part == nullptr) return;
  part->snapshots = snapshots;
  part->written = true;
}

std::uint64_t Window::held(std::uint64_t log) const {
  std::uint64_t bytes = log - parts_.front().log_at;
  for (const Part& part : parts_) bytes += part.snapshots;
  return bytes;
}

std::optional<Window::Part> Window::drop(Time now, std::uint64_t log) {
  bool any = false;
  const auto is_old = [&] { return asked_.time.count() != 0 && now - parts_[1].began >= asked_.time; };
  const auto is_much = [&] { return asked_.bytes != 0 && held(log) > asked_.bytes; };
  while (parts_.size() > 1 && ready(parts_[1]) && (is_old() || is_much())) {
    parts_.pop_front();
    any = true;
  }
  return any ? std::optional(parts_.front()) : std::nullopt;
}

}  // namespace tmrec::recorder
