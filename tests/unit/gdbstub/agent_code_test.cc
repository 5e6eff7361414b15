#include "gdbstub/agent_code.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <string>

#include <doctest/doctest.h>

#include "gdbstub/agent_expression.h"

using namespace tmrec::gdbstub;

namespace {

using Registers = std::uint64_t[kAgentCodeRegisters];

constexpr std::uint64_t kRip = 0x5555'5555'1234;

// What the machine makes of these expressions; nullopt: they are no code.
std::optional<std::uint64_t> executed(const std::vector<std::string>& expressions, const Registers& registers) {
  const auto code = agent_code(expressions, kRip);
  if (!code) return std::nullopt;
  // push %rbx; push %rbp; mov %rdi,%rbx; mov %rsp,%rbp
  std::vector<std::uint8_t> function{0x53, 0x55, 0x48, 0x89, 0xfb, 0x48, 0x89, 0xe5};
  function.insert(function.end(), code->begin(), code->end());
  function.insert(function.end(), {0x48, 0x89, 0xec, 0x5d, 0x5b, 0xc3});  // mov %rbp,%rsp; pop %rbp; pop %rbx; ret
  void* const memory = mmap(nullptr, function.size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(memory != MAP_FAILED);
  std::memcpy(memory, function.data(), function.size());
  REQUIRE(mprotect(memory, function.size(), PROT_READ | PROT_EXEC) == 0);
  std::uint64_t (*call)(const std::uint64_t*) = nullptr;
  std::memcpy(&call, &memory, sizeof call);
  const std::uint64_t value = call(registers);
  munmap(memory, function.size());
  return value;
}

AgentContext context(const Registers& registers) {
  return {.get_register = [&](std::size_t number) -> std::optional<std::uint64_t> {
            if (number == 16) return kRip;
            return number < kAgentCodeRegisters ? std::optional(registers[number]) : std::nullopt;
          },
          .read_memory = [](std::uint64_t address, std::size_t size) -> std::optional<std::uint64_t> {
            std::uint64_t value = 0;
            std::memcpy(&value, reinterpret_cast<const void*>(address), size);
            return value;
          }};
}

template <class... Bytes>
std::string expression(Bytes... bytes) {
  return {static_cast<char>(bytes)...};
}

const std::uint64_t kWord = 0x8877665544332211;
const Registers kRegisters = {reinterpret_cast<std::uint64_t>(&kWord), 1, 2, 3, ~0ull, 1ull << 63, 63, 64, 8, 9};

void check_same(const std::string& each) { CHECK(executed({each}, kRegisters) == evaluate(each, context(kRegisters))); }

}  // namespace

TEST_CASE("registers, memory and constants") {
  for (int number = 0; number <= 16; ++number) check_same(expression(0x26, 0, number, 0x27));
  for (int refer = 0x17; refer <= 0x1a; ++refer) check_same(expression(0x26, 0, 0, refer, 0x27));
  check_same(expression(0x22, 0xff, 0x27));
  check_same(expression(0x23, 1, 2, 0x27));
  check_same(expression(0x24, 1, 2, 3, 4, 0x27));
  check_same(expression(0x25, 1, 2, 3, 4, 5, 6, 7, 8, 0x27));
}

TEST_CASE("every operation on every pair of odd values") {
  constexpr int kDivisions[] = {0x05, 0x06, 0x07, 0x08};
  for (const int op :
       {0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0f, 0x10, 0x11, 0x13, 0x14, 0x15}) {
    for (int a = 1; a < 11; ++a) {
      for (int b = 1; b < 11; ++b) {
        const std::string each = expression(0x26, 0, a, 0x26, 0, b, op, 0x27);
        const bool by_zero = kRegisters[b] == 0 && std::ranges::find(kDivisions, op) != std::end(kDivisions);
        if (by_zero) {
          CHECK(executed({each}, kRegisters) == 1u);  // ask
        } else {
          check_same(each);
        }
      }
    }
  }
  for (int a = 0; a < 11; ++a) {
    for (const int op : {0x0e, 0x12}) check_same(expression(0x26, 0, a, op, 0x27));
    for (const int bits : {1, 8, 16, 32, 63, 64}) {
      for (const int op : {0x16, 0x2a}) check_same(expression(0x26, 0, a, op, bits, 0x27));
    }
  }
}

TEST_CASE("the stack and jumps") {
  check_same(expression(0x22, 1, 0x22, 2, 0x22, 3, 0x33, 0x03, 0x03, 0x27));          // rot
  check_same(expression(0x22, 1, 0x22, 2, 0x2b, 0x03, 0x27));                         // swap
  check_same(expression(0x22, 1, 0x22, 2, 0x32, 1, 0x03, 0x03, 0x27));                // pick
  check_same(expression(0x22, 5, 0x28, 0x04, 0x22, 9, 0x29, 0x27));                   // dup, pop
  check_same(expression(0x22, 1, 0x20, 0, 10, 0x22, 7, 0x21, 0, 12, 0x22, 8, 0x27));  // if_goto, goto
  check_same(expression(0x22, 0, 0x20, 0, 10, 0x22, 7, 0x21, 0, 12, 0x22, 8, 0x27));
}

TEST_CASE("any of several") {
  const std::string no = expression(0x22, 0, 0x27), yes = expression(0x22, 9, 0x27);
  CHECK(executed({no, no}, kRegisters) == 0u);
  CHECK(executed({no, yes}, kRegisters) == 9u);
  CHECK(executed({yes, no}, kRegisters) == 9u);
  CHECK(executed({expression(0x22, 4, 0x22, 0, 0x05, 0x27), no}, kRegisters) == 1u);
}

TEST_CASE("what is no code") {
  for (const std::string& each :
       {expression(0x21, 0, 0, 0x27), expression(0x27), expression(0x22, 1), expression(0x22), expression(0x02, 0x27),
        expression(0x26, 0, 17, 0x27), expression(0x26, 1, 0, 0x27), expression(0x22, 1, 0x20, 0, 6, 0x22, 1, 0x27),
        expression(0x22, 1, 0x27, 0x22, 1, 0x27), expression(0x22, 1, 0x22, 2, 0x20, 0, 8, 0x29, 0x27),
        expression(0x22, 1, 0x16, 65, 0x27), expression(0x30, 0x27), std::string(200, 0x28)}) {
    CHECK_FALSE(agent_code({each}, kRip));
  }
}

TEST_CASE("whatever becomes code means the same") {
  std::mt19937 random(7);
  constexpr int kOps[] = {0x02, 0x03, 0x04, 0x09, 0x0a, 0x0b, 0x0e, 0x0f, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15,
                          0x16, 0x20, 0x21, 0x22, 0x22, 0x26, 0x26, 0x28, 0x29, 0x2a, 0x2b, 0x32, 0x33};
  int sound = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string each = expression(0x22, random() % 256, 0x26, 0, random() % 16);
    for (std::size_t i = 0, count = random() % 12; i < count; ++i) {
      const int op = kOps[random() % std::size(kOps)];
      each += static_cast<char>(op);
      if (op == 0x16 || op == 0x2a) each += static_cast<char>(random() % 65);
      if (op == 0x22) each += static_cast<char>(random() % 256);
      if (op == 0x32) each += static_cast<char>(random() % 3);
      if (op == 0x26) each += expression(0, random() % 17);
      if (op == 0x20 || op == 0x21) each += expression(0, each.size() + 2 + random() % 6);
    }
    each += 0x27;
    const auto value = executed({each}, kRegisters);
    if (!value) continue;
    ++sound;
    CHECK(value == evaluate(each, context(kRegisters)));
  }
  CHECK(sound > 1000);
}
