#include "replayer/describe.h"

#include <doctest/doctest.h>

#include <algorithm>

using namespace tmrec;

TEST_CASE("the place counts before any other register") {
  Regs actual, expected;
  actual.rip = 0x1000;
  expected.rip = 0x1000;
  actual.rdi = 3;
  expected.rdi = 4;
  CHECK(replayer::first_difference(actual, expected) == "rdi is 0x3, recorded 0x4 (at 0x1000)");
  expected.rip = 0x2000;
  CHECK(replayer::first_difference(actual, expected) == "at 0x1000, recorded 0x2000");
  CHECK(replayer::first_difference(actual, actual).empty());
}

TEST_CASE("every register that differs has a line") {
  Regs actual, expected;
  expected.rax = 1;
  expected.r15 = 2;
  std::string text = replayer::differing_registers(actual, expected);
  CHECK(std::count(text.begin(), text.end(), '\n') == 2);
  CHECK(text.find("rax") != std::string::npos);
  CHECK(text.find("r15") != std::string::npos);
}

TEST_CASE("an event's line has its number, its task and what it was") {
  Event event;
  event.no = EventNo(12);
  event.tid = Tid(345);
  event.body = CloneEvent{};
  std::get<CloneEvent>(event.body).child = Tid(678);
  std::string line = replayer::one_line(event);
  CHECK(line.find("12") < line.find("345"));
  CHECK(line.find("new task 678") != std::string::npos);
}
