#include "replayer/place.h"

#include <doctest/doctest.h>

#include "replayer/task.h"

using namespace tmrec;
using namespace tmrec::replayer;

TEST_CASE("positions are ordered by events, then ticks, then instructions") {
  const Position positions[] = {{EventNo(1), Ticks(0), 0}, {EventNo(1), Ticks(0), 9}, {EventNo(1), Ticks(7), 0},
                                {EventNo(1), Ticks(7), 1}, {EventNo(2), Ticks(7), 0}, {EventNo(2), Ticks(8), 5},
                                {EventNo(3), Ticks(0), 0}};
  for (std::size_t i = 0; i < std::size(positions); ++i) {
    for (std::size_t k = 0; k < std::size(positions); ++k) {
      CHECK((positions[i] < positions[k]) == (i < k));
      CHECK((positions[i] == positions[k]) == (i == k));
    }
  }
}

TEST_CASE("what is caught: all system calls, or the ones that were named") {
  Stops stops;
  CHECK(stops.empty());
  CHECK_FALSE(stops.catches(0));
  stops.calls.emplace();
  CHECK_FALSE(stops.empty());
  CHECK(stops.catches(0));
  CHECK(stops.catches(231));
  stops.calls->push_back(231);
  CHECK_FALSE(stops.catches(0));
  CHECK(stops.catches(231));
}

TEST_CASE("births of processes are caught unless they are known") {
  Stops stops;
  CHECK_FALSE(stops.catches_birth(Tid(5)));
  stops.births = std::vector{Tid(4), Tid(6)};
  CHECK_FALSE(stops.empty());
  CHECK(stops.catches_birth(Tid(5)));
  CHECK_FALSE(stops.catches_birth(Tid(6)));
}

TEST_CASE("a breakpoint's condition is asked where it stands, and nowhere else") {
  Stops stops;
  stops.breakpoints = {0x1000, 0x2000};
  int asked = 0;
  bool answer = false;
  stops.conditions[0x2000] = {.holds =
                                  [&](Session&, Task&) {
                                    ++asked;
                                    return answer;
                                  },
                              .code = {}};
  Task task;
  // None of these looks at the session.
  auto& session = *reinterpret_cast<Session*>(&task);
  CHECK(stops.stops(0x1000, session, task));
  CHECK_FALSE(stops.stops(0x1001, session, task));
  CHECK_FALSE(stops.stops(0x3000, session, task));
  CHECK(asked == 0);
  CHECK_FALSE(stops.stops(0x2000, session, task));
  answer = true;
  CHECK(stops.stops(0x2000, session, task));
  CHECK(asked == 2);
}
