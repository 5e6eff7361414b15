#include <doctest/doctest.h>

#include <set>
#include <stdexcept>
#include <vector>

#include "sched/fiber.h"
#include "sched/policy.h"

using tmrec::sched::Fiber;
using tmrec::sched::Policy;

TEST_CASE("without a seed the longest waiting task is chosen") {
  Policy policy = Policy::seeded(0);
  for (std::size_t ready : {1, 2, 7}) CHECK(policy.choose(ready) == 0);
}

TEST_CASE("a seed repeats its choices, another makes others") {
  auto choices = [](std::uint64_t seed) {
    Policy policy = Policy::seeded(seed);
    std::vector<std::size_t> made;
    for (int i = 0; i < 200; ++i) made.push_back(policy.choose(5));
    return made;
  };
  CHECK(choices(1) == choices(1));
  CHECK(choices(1) != choices(2));
}

TEST_CASE("with a seed everybody is chosen, and always somebody who is there") {
  Policy policy = Policy::seeded(42);
  std::set<std::size_t> seen;
  int first = 0;
  for (int i = 0; i < 1000; ++i) {
    std::size_t choice = policy.choose(4);
    REQUIRE(choice < 4);
    seen.insert(choice);
    first += choice == 0;
  }
  CHECK(seen.size() == 4);
  CHECK(first > 400);
}

TEST_CASE("chaos cuts slices of all lengths, and the plain policy none") {
  Policy plain = Policy::seeded(7);
  for (int i = 0; i < 100; ++i) CHECK(plain.ticks(1'000'000) == 1'000'000);
  CHECK(plain.first_ticks() == 0);
  CHECK_FALSE(plain.newborn_first());
  Policy chaos = Policy::seeded(7, true);
  int shorter = 0, births = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t ticks = chaos.ticks(1'000'000);
    REQUIRE(ticks >= 1);
    REQUIRE(ticks < 2'000'000);
    shorter += ticks < 10'000;
    births += chaos.newborn_first();
    REQUIRE(chaos.first_ticks() < 256);
  }
  CHECK(shorter > 300);
  CHECK(shorter < 900);
  CHECK(births > 100);
  CHECK(births < 500);
  CHECK(chaos.ticks(1) <= 512);
}

TEST_CASE("chaos holds tasks back, but lets nobody starve") {
  Policy chaos = Policy::seeded(3, true);
  const std::uint32_t priorities[] = {5, 90, 10};
  int chosen[3] = {};
  for (int i = 0; i < 1000; ++i) {
    const std::size_t choice = chaos.choose(priorities, 3);
    REQUIRE(choice < 3);
    ++chosen[choice];
  }
  CHECK(chosen[1] > 800);
  CHECK(chosen[0] > 10);
  CHECK(chosen[2] > 10);
  CHECK_FALSE(Policy::seeded(0, true).chaos);  // what can't be repeated is not done
}

TEST_CASE("a fiber runs to where it waits and goes on from there") {
  std::vector<int> order;
  Fiber* self = nullptr;
  Fiber fiber([&] {
    order.push_back(1);
    self->suspend();
    order.push_back(3);
  });
  self = &fiber;
  fiber.resume();
  order.push_back(2);
  CHECK_FALSE(fiber.done());
  fiber.resume();
  CHECK(fiber.done());
  CHECK(order == std::vector<int>{1, 2, 3});
}

TEST_CASE("an exception leaves through resume, and an unfinished fiber unwinds") {
  Fiber thrower([] { throw std::runtime_error("inside"); });
  CHECK_THROWS_WITH(thrower.resume(), "inside");
  CHECK(thrower.done());
  bool unwound = false;
  {
    struct Guard {
      bool& flag;
      ~Guard() { flag = true; }
    };
    Fiber* self = nullptr;
    Fiber waiting([&] {
      Guard guard{unwound};
      self->suspend();
    });
    self = &waiting;
    waiting.resume();
    CHECK_FALSE(unwound);
  }
  CHECK(unwound);
}

TEST_CASE("slices end, and vary with a seed") {
  Policy steady = Policy::seeded(0);
  CHECK(steady.slice() == steady.slice());
  Policy varied = Policy::seeded(3);
  std::set<std::uint32_t> seen;
  for (int i = 0; i < 100; ++i) {
    std::uint32_t slice = varied.slice();
    REQUIRE(slice >= 1);
    REQUIRE(slice <= steady.slice());
    seen.insert(slice);
  }
  CHECK(seen.size() > 20);
}
