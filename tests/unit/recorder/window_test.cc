#include "recorder/window.h"

#include <doctest/doctest.h>

using namespace tmrec;
using recorder::Window;
using recorder::WindowSize;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t kMiB = 1 << 20;

// A part begun and complete on disk.
void begin(Window& window, std::uint64_t first, Window::Time now, std::uint64_t log, std::uint64_t snapshots) {
  window.begin(EventNo(first), now, log);
  window.in_segment(EventNo(first), first);
  window.written(EventNo(first), snapshots);
}

}  // namespace

TEST_CASE("a window of time keeps what was asked, and at most a quarter more") {
  const WindowSize asked{.time = 60s};
  Window window(asked);
  std::uint64_t event = 1;
  for (Window::Time now = 0s; now < 1000s; now += 1s, event += 10) {
    if (window.due(now, 0, EventNo(event))) begin(window, event, now, 0, kMiB);
    window.drop(now, 0);
    const Window::Time covered = now - window.oldest().began;
    if (now < 60s) CHECK(covered == now);
    if (now >= 60s) CHECK(covered >= 60s);
    CHECK(covered <= 76s);
    CHECK(window.held(0) <= 6 * kMiB);
  }
}

TEST_CASE("a window of bytes holds about so many") {
  const WindowSize asked{.bytes = 64 * kMiB};
  Window window(asked);
  std::uint64_t log = 0, event = 1;
  for (int i = 0; i < 1000; ++i, log += kMiB, event += 10) {
    if (window.due(0s, log, EventNo(event))) begin(window, event, 0s, log, 4 * kMiB);
    window.drop(0s, log);
    CHECK(window.held(log) <= 64 * kMiB);
    if (i > 100) CHECK(window.held(log) >= 40 * kMiB);
  }
}

TEST_CASE("snapshots as large as the window leave some log between them") {
  Window window(WindowSize{.bytes = 64 * kMiB});
  std::uint64_t log = 0, event = 1, parts = 0;
  for (int i = 0; i < 400; ++i, log += kMiB, event += 10) {
    if (!window.due(0s, log, EventNo(event))) continue;
    begin(window, event, 0s, log, 100 * kMiB);
    window.drop(0s, log);
    ++parts;
  }
  CHECK(parts <= 400 / 4);
  CHECK(window.held(log) <= 100 * kMiB + 64 * kMiB);
}

TEST_CASE("nothing is dropped before what follows can be begun from") {
  Window window(WindowSize{.time = 4s});
  window.begin(EventNo(50), 1s, 0);
  CHECK(!window.due(100s, 0, EventNo(60)));
  CHECK(!window.drop(100s, 0));
  window.in_segment(EventNo(50), 7);
  CHECK(!window.drop(100s, 0));
  window.written(EventNo(50), 10);
  CHECK(window.due(100s, 0, EventNo(60)));
  const auto oldest = window.drop(100s, 0);
  REQUIRE(oldest);
  CHECK(oldest->first == EventNo(50));
  CHECK(oldest->segment == 7);
  CHECK(!window.drop(200s, 0));
}

TEST_CASE("starting points at every so many events") {
  Window window(WindowSize{.time = 1000s, .events = 100});
  CHECK(!window.due(0s, 0, EventNo(100)));
  CHECK(window.due(0s, 0, EventNo(101)));
  begin(window, 101, 0s, 0, 1);
  CHECK(!window.due(0s, 0, EventNo(200)));
  CHECK(window.is_passed_by(EventNo(101)));
  CHECK(!window.is_passed_by(EventNo(1)));
  window.begin(EventNo(201), 40s, 40, true);
  CHECK(!window.is_passed_by(EventNo(201)));
}
