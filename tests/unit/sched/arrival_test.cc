#include <doctest/doctest.h>

#include "sched/arrival.h"
#include "simulated_cpu.h"

using namespace tmrec;
using namespace tmrec::sched;
using Op = Instruction::Op;
using Reason = MissedTarget::Reason;

namespace {

void run_one(SimulatedCpu& cpu) {
  if (!cpu.execute()) FAIL("the program cannot go on");
}

// A place of an undisturbed run.
struct Place {
  std::uint64_t executed = 0;
  TickTarget target;  // with everything known
};

// Runs to `executed` instructions from the start and names the place.
Place place_at(const std::vector<Instruction>& program, std::uint64_t executed) {
  SimulatedCpu cpu(program);
  std::uint64_t since_tick = 0;
  std::uint64_t tick_address = cpu.regs().rip;
  while (cpu.executed() < executed) {
    const std::uint64_t before = cpu.ticks_now();
    run_one(cpu);
    ++since_tick;
    if (cpu.ticks_now() == before) continue;
    since_tick = 0;
    tick_address = cpu.regs().rip;
  }
  return {executed,
          {.ticks = Ticks(cpu.ticks_now()),
           .regs = cpu.regs(),
           .instructions = since_tick,
           .tick_address = RemoteAddr(tick_address),
           .word = {}}};
}

SimulatedCpu started_at(const std::vector<Instruction>& program, std::uint64_t executed) {
  SimulatedCpu cpu(program);
  while (cpu.executed() < executed) run_one(cpu);
  return cpu;
}

// The first place from `start` on that has the target's count and registers.
std::uint64_t first_match(const std::vector<Instruction>& program, std::uint64_t start, const TickTarget& target) {
  SimulatedCpu cpu = started_at(program, start);
  while (cpu.ticks_now() != target.ticks.value || !same_place(cpu.regs(), target.regs)) run_one(cpu);
  return cpu.executed();
}

// `add; spin: loop spin; tail...`
std::vector<Instruction> spinning(std::uint64_t rounds, std::vector<Instruction> tail) {
  std::vector<Instruction> program = {{.op = Op::Add, .a = 0, .operand = rounds},
                                      {.op = Op::Loop, .a = 0, .to = SimulatedCpu::kCode + 1}};
  program.insert(program.end(), tail.begin(), tail.end());
  return program;
}

Reason reason_of(const Arrival& arrival) {
  REQUIRE_FALSE(arrival.has_value());
  CHECK_FALSE(arrival.error().text.empty());
  return arrival.error().reason;
}

}  // namespace

TEST_CASE("arrives at exactly the instruction, whatever the skid") {
  std::mt19937_64 chance(20);
  int unique_by_registers = 0;
  std::uint64_t held = 0, steps_with_address = 0, arrivals = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const auto program = random_program(seed);
    for (int attempt = 0; attempt < 12; ++attempt) {
      CAPTURE(seed);
      CAPTURE(attempt);
      const std::uint64_t start = chance() % 3000;
      const Place there = place_at(program, start + 1 + chance() % 20'000);
      const Place here = place_at(program, start);
      const std::uint64_t bound = std::array<std::uint64_t, 4>{0, 3, 100, 1000}[chance() % 4];
      SimulatedCpu cpu = started_at(program, start);
      cpu.skid = bound;
      cpu.noisy = attempt % 2 == 0;
      cpu.chance.seed(chance());

      TickTarget target = there.target;
      std::uint64_t expected = there.executed;
      switch (attempt % 3) {
        case 0:
          break;  // breakpoint at the tick's beginning
        case 1:
          target.tick_address.reset();
          break;  // steps to it
        default:  // registers alone
          target.instructions.reset();
          expected = first_match(program, start, target);
          unique_by_registers += expected == there.executed;
      }
      if (target.instructions && here.target.ticks == target.ticks)
        target.instructions = there.executed - here.executed;  // both in one tick

      const Arrival arrival = arrive(cpu, target, {.skid_bound = bound});
      if (!arrival) FAIL(arrival.error().text);
      CHECK(cpu.executed() == expected);
      CHECK(cpu.ticks_now() == target.ticks.value);
      CHECK(same_place(cpu.regs(), target.regs));
      held += arrival->held.size();
      if (attempt % 3 == 0) steps_with_address += arrival->steps, ++arrivals;
    }
  }
  CHECK(unique_by_registers > 200);           // of 240: most places are unique
  CHECK(held > 100);                          // signals did come in between
  CHECK(steps_with_address / arrivals < 30);  // no stepping through the skid
}

TEST_CASE("visits with equal count and registers are told apart") {
  // A loop without branches around two calls of a function, which stores rax.
  const std::uint64_t function = SimulatedCpu::kCode + 8;
  const auto program = spinning(5, {{.op = Op::Add, .a = 0, .operand = 3},
                                    {.op = Op::Call, .to = function},
                                    {.op = Op::Store, .a = 1, .b = 2},
                                    {.op = Op::Call, .to = function},
                                    {.op = Op::Jump, .to = SimulatedCpu::kCode + 3},
                                    {.op = Op::Nothing},
                                    {.op = Op::Store, .a = 0, .b = 2},  // the function
                                    {.op = Op::Return}});
  SimulatedCpu probe(program);
  std::vector<Place> visits;
  while (visits.size() < 4) {
    if (probe.regs().rip == function) visits.push_back(place_at(program, probe.executed()));
    REQUIRE(probe.execute());
  }
  REQUIRE(same_place(visits[0].target.regs, visits[2].target.regs));
  REQUIRE(visits[0].target.ticks == visits[2].target.ticks);

  SUBCASE("by the number of instructions") {
    for (const Place& visit : visits) {
      SimulatedCpu cpu(program);
      cpu.skid = 2;
      REQUIRE(arrive(cpu, visit.target, {.skid_bound = 2}));
      CHECK(cpu.executed() == visit.executed);
    }
  }
  SUBCASE("by nothing: the first") {
    SimulatedCpu cpu(program);
    TickTarget target = visits[2].target;
    target.instructions.reset();
    REQUIRE(arrive(cpu, target, {.skid_bound = 2}));
    CHECK(cpu.executed() == visits[0].executed);
  }
  SUBCASE("by a word of memory") {
    SimulatedCpu cpu(program);
    TickTarget target = visits[0].target;
    target.instructions.reset();
    target.regs.rip = function + 1;
    target.word = KnownWord{RemoteAddr(SimulatedCpu::kData), 3};
    REQUIRE(arrive(cpu, target, {.skid_bound = 2}));
    CHECK(cpu.word(RemoteAddr(SimulatedCpu::kData)) == 3);
    SimulatedCpu other(program);
    target.word->value = 4;
    CHECK(reason_of(arrive(other, target, {.skid_bound = 2, .stops = 5000})) == Reason::NoProgress);
  }
}

TEST_CASE("stands there already") {
  const auto program = random_program(4);
  const Place place = place_at(program, 500);
  SimulatedCpu cpu = started_at(program, 500);
  TickTarget target = place.target;
  target.instructions = 0;
  REQUIRE(arrive(cpu, target, {.skid_bound = 100}));
  CHECK(cpu.executed() == 500);
}

TEST_CASE("an interrupt beyond the bound is said, not hidden") {
  const auto program = spinning(10'000, {{.op = Op::Jump, .to = SimulatedCpu::kCode}});
  const Place place = place_at(program, 5000);
  SimulatedCpu cpu(program);
  cpu.skid = 50;
  cpu.beyond = 200;
  const Arrival arrival = arrive(cpu, place.target, {.skid_bound = 50});
  CHECK(reason_of(arrival) == Reason::SkiddedPast);
  CHECK(arrival.error().ticks >= place.target.ticks);
  // With the true bound it works.
  SimulatedCpu again(program);
  again.skid = 50;
  again.beyond = 200;
  REQUIRE(arrive(again, place.target, {.skid_bound = 250}));
  CHECK(again.executed() == place.executed);
}

TEST_CASE("a target in the past is refused") {
  const auto program = random_program(7);
  SimulatedCpu cpu = started_at(program, 3000);
  CHECK(reason_of(arrive(cpu, place_at(program, 100).target, {.skid_bound = 10})) == Reason::AlreadyPast);
  CHECK(cpu.executed() == 3000);
}

TEST_CASE("a run that goes another way is a value that says so") {
  const auto program = spinning(2000, {{.op = Op::Jump, .to = SimulatedCpu::kCode}});
  TickTarget target = place_at(program, 1500).target;
  const ArrivalLimits limits{.skid_bound = 20};
  SUBCASE("other registers") {
    target.regs.rdx ^= 1;
    SimulatedCpu cpu(program);
    CHECK(reason_of(arrive(cpu, target, limits)) == Reason::WrongState);
  }
  SUBCASE("another address at the tick") {
    target.regs.rip += 1;
    target.instructions = 0;
    SimulatedCpu cpu(program);
    CHECK(reason_of(arrive(cpu, target, limits)) == Reason::NotVisited);
  }
  SUBCASE("registers that never come") {
    target.regs.rdx ^= 1;
    target.instructions.reset();
    SimulatedCpu cpu(program);
    CHECK(reason_of(arrive(cpu, target, limits)) == Reason::NotVisited);
    CHECK(cpu.ticks_now() <= target.ticks.value + limits.skid_bound + 4);  // and not noticed much later
  }
  SUBCASE("a tick shorter than it was") {
    target.instructions = 40;
    SimulatedCpu cpu(program);
    CHECK(reason_of(arrive(cpu, target, limits)) == Reason::NotVisited);
  }
  SUBCASE("a system call on the way, far or near") {
    for (std::uint64_t rounds : {100, 1495}) {
      SimulatedCpu cpu(spinning(rounds, {{.op = Op::Syscall}}));
      CHECK(reason_of(arrive(cpu, target, limits)) == Reason::SystemCall);
    }
  }
  SUBCASE("a fault on the way") {
    SimulatedCpu cpu(spinning(100, {{.op = Op::Trap}}));
    const Arrival arrival = arrive(cpu, target, limits);
    CHECK(reason_of(arrival) == Reason::Fault);
    CHECK(arrival.error().signal == 11);
  }
  SUBCASE("its end") {
    SimulatedCpu cpu(spinning(100, {}));
    CHECK(reason_of(arrive(cpu, target, limits)) == Reason::Ended);
  }
  SUBCASE("a loop without branches") {
    for (std::uint64_t rounds : {100, 1495}) {
      SimulatedCpu cpu(spinning(rounds, {{.op = Op::Jump, .to = SimulatedCpu::kCode + 2}}));
      CHECK(reason_of(arrive(cpu, target, limits)) == Reason::NoProgress);
    }
  }
  SUBCASE("steps without end") {
    SimulatedCpu cpu(spinning(1495, {{.op = Op::Jump, .to = SimulatedCpu::kCode + 2}}));
    target.instructions = 3;
    target.tick_address.reset();
    CHECK(reason_of(arrive(cpu, target, {.skid_bound = 20, .stops = 5000})) == Reason::NoProgress);
  }
  SUBCASE("a counter that lost counts") {
    SimulatedCpu cpu(program);
    cpu.counter_fails_at = 1000;
    const Arrival arrival = arrive(cpu, target, limits);
    CHECK(reason_of(arrival) == Reason::CounterFailed);
    CHECK(arrival.error().text.find("not counted") != std::string::npos);
  }
}

TEST_CASE("a task interrupted anywhere settles where a tick begins, and is found there again") {
  std::mt19937_64 chance(5);
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    const auto program = random_program(seed);
    SimulatedCpu recorded = started_at(program, chance() % 10'000);
    recorded.noisy = true;
    const Result<Settled> settled = settle(recorded);
    REQUIRE(settled.has_value());
    REQUIRE(settled->place.has_value());
    CHECK(settled->place->instructions == 0);
    CHECK_FALSE(settled->stop.has_value());

    SimulatedCpu replayed(program);
    replayed.skid = 128;
    replayed.chance.seed(seed);
    const Arrival arrival = arrive(replayed, *settled->place, {.skid_bound = 128});
    if (!arrival) FAIL(arrival.error().text);
    CHECK(replayed.executed() == recorded.executed());
    CHECK(arrival->steps == 0);
  }
}

TEST_CASE("settling ends at a system call, and gives up on a stretch without ticks") {
  SimulatedCpu calls(std::vector<Instruction>{{.op = Op::Nothing}, {.op = Op::Syscall}});
  const Result<Settled> at_call = settle(calls);
  REQUIRE(at_call.has_value());
  CHECK_FALSE(at_call->place.has_value());
  REQUIRE(at_call->stop.has_value());
  CHECK(at_call->stop->kind == ArrivalStop::Kind::Syscall);

  // 200 rounds of an endless loop without conditional branches.
  const std::vector<Instruction> forever = {{.op = Op::Add, .a = 0, .operand = 1},
                                            {.op = Op::Jump, .to = SimulatedCpu::kCode}};
  SimulatedCpu cpu(forever);
  const Result<Settled> nowhere = settle(cpu, 400);
  REQUIRE(nowhere.has_value());
  REQUIRE(nowhere->place.has_value());
  CHECK_FALSE(nowhere->place->instructions.has_value());
  SimulatedCpu replayed(forever);
  REQUIRE(arrive(replayed, *nowhere->place, {.skid_bound = 10}));
  CHECK(replayed.executed() == cpu.executed());
}
