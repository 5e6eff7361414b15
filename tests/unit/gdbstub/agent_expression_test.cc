#include "gdbstub/agent_expression.h"

#include <doctest/doctest.h>

#include <random>
#include <string>

using namespace tmrec::gdbstub;

namespace {

const AgentContext kContext{
    .get_register =
        [](std::size_t number) { return number < 24 ? std::optional<std::uint64_t>(number * 100) : std::nullopt; },
    .read_memory = [](std::uint64_t address, std::size_t size) -> std::optional<std::uint64_t> {
      if (address < 0x1000) return std::nullopt;
      return 0x8877665544332211 & (size == 8 ? ~0ull : (1ull << 8 * size) - 1);
    }};

template <class... Bytes>
std::optional<std::uint64_t> value(Bytes... bytes) {
  return evaluate(std::string{static_cast<char>(bytes)...}, kContext);
}

// const8 a, const8 b, op, end
std::optional<std::uint64_t> of_two(int a, int b, int op) { return value(0x22, a, 0x22, b, op, 0x27); }

}  // namespace

TEST_CASE("constants, registers and memory") {
  CHECK(value(0x22, 0xff, 0x27) == 0xffu);
  CHECK(value(0x23, 1, 2, 0x27) == 0x102u);
  CHECK(value(0x24, 1, 2, 3, 4, 0x27) == 0x1020304u);
  CHECK(value(0x25, 1, 2, 3, 4, 5, 6, 7, 8, 0x27) == 0x102030405060708u);
  CHECK(value(0x26, 0, 7, 0x27) == 700u);
  CHECK(value(0x23, 0x20, 0, 0x17, 0x27) == 0x11u);
  CHECK(value(0x23, 0x20, 0, 0x18, 0x27) == 0x2211u);
  CHECK(value(0x23, 0x20, 0, 0x19, 0x27) == 0x44332211u);
  CHECK(value(0x23, 0x20, 0, 0x1a, 0x27) == 0x8877665544332211u);
}

TEST_CASE("arithmetic, with and without sign") {
  CHECK(of_two(7, 3, 0x02) == 10u);
  CHECK(of_two(3, 7, 0x03) == static_cast<std::uint64_t>(-4));
  CHECK(of_two(7, 3, 0x04) == 21u);
  CHECK(of_two(7, 3, 0x05) == 2u);
  CHECK(of_two(7, 3, 0x06) == 2u);
  CHECK(of_two(7, 3, 0x07) == 1u);
  CHECK(of_two(7, 3, 0x08) == 1u);
  CHECK(of_two(7, 3, 0x09) == 56u);
  CHECK(of_two(1, 64, 0x09) == 0u);
  CHECK(of_two(0xf0, 4, 0x0b) == 0xfu);
  CHECK(of_two(0xf0, 200, 0x0b) == 0u);
  CHECK(value(0x22, 0x80, 0x16, 8, 0x22, 3, 0x0a, 0x27) == static_cast<std::uint64_t>(-16));
  CHECK(value(0x22, 0x80, 0x16, 8, 0x22, 99, 0x0a, 0x27) == static_cast<std::uint64_t>(-1));
  CHECK(value(0x22, 0xff, 0x16, 8, 0x22, 1, 0x14, 0x27) == 1u);
  CHECK(value(0x22, 0xff, 0x16, 8, 0x22, 1, 0x15, 0x27) == 0u);
  CHECK(value(0x22, 0xf7, 0x16, 8, 0x22, 2, 0x05, 0x27) == static_cast<std::uint64_t>(-4));
  // The one quotient that does not fit.
  CHECK(value(0x25, 0x80, 0, 0, 0, 0, 0, 0, 0, 0x22, 0xff, 0x16, 8, 0x05, 0x27) == 0x8000000000000000u);
  CHECK(value(0x25, 0x80, 0, 0, 0, 0, 0, 0, 0, 0x22, 0xff, 0x16, 8, 0x07, 0x27) == 0u);
  CHECK(of_two(0x0c, 0x0a, 0x0f) == 0x08u);
  CHECK(of_two(0x0c, 0x0a, 0x10) == 0x0eu);
  CHECK(of_two(0x0c, 0x0a, 0x11) == 0x06u);
  CHECK(of_two(3, 3, 0x13) == 1u);
  CHECK(value(0x22, 0, 0x12, 0x2a, 12, 0x27) == 0xfffu);
  CHECK(value(0x22, 0, 0x0e, 0x27) == 1u);
  CHECK(value(0x22, 5, 0x0e, 0x27) == 0u);
}

TEST_CASE("the stack is turned as described") {
  CHECK(value(0x22, 1, 0x22, 2, 0x2b, 0x03, 0x27) == 1u);                 // swap: 2 - 1
  CHECK(value(0x22, 1, 0x22, 2, 0x22, 3, 0x33, 0x27) == 2u);              // rot: 3 1 2
  CHECK(value(0x22, 1, 0x22, 2, 0x22, 3, 0x33, 0x29, 0x29, 0x27) == 3u);  // and down to its bottom
  CHECK(value(0x22, 1, 0x22, 2, 0x22, 3, 0x32, 2, 0x27) == 1u);           // pick
  CHECK(value(0x22, 4, 0x28, 0x04, 0x27) == 16u);                         // dup
}

TEST_CASE("jumps go where they say") {
  CHECK(value(0x22, 1, 0x20, 0, 8, 0x22, 5, 0x27, 0x22, 6, 0x27) == 6u);
  CHECK(value(0x22, 0, 0x20, 0, 8, 0x22, 5, 0x27, 0x22, 6, 0x27) == 5u);
  CHECK(value(0x21, 0, 4, 0x27, 0x22, 7, 0x27) == 7u);
}

TEST_CASE("what can't be worked out has no value") {
  CHECK_FALSE(value(0x27));                 // an empty stack
  CHECK_FALSE(value(0x02, 0x27));           // nothing to add
  CHECK_FALSE(value(0x22, 1));              // no end
  CHECK_FALSE(value(0x25, 1, 2, 3));        // cut off
  CHECK_FALSE(value(0x22, 1, 0x17, 0x27));  // no memory there
  CHECK_FALSE(value(0x26, 0, 99, 0x27));    // no such register
  CHECK_FALSE(of_two(1, 0, 0x05));          // division by zero
  CHECK_FALSE(of_two(1, 0, 0x08));
  CHECK_FALSE(value(0x21, 0, 0));              // for ever
  CHECK_FALSE(value(0x21, 0xff, 0xff, 0x27));  // out of the expression
  CHECK_FALSE(value(0x22, 1, 0x21, 0, 0));     // a stack without end
  CHECK_FALSE(value(0x22, 1, 0x16, 0, 0x27));
  CHECK_FALSE(value(0x22, 1, 0x2a, 65, 0x27));
  CHECK_FALSE(value(0x22, 1, 0x32, 1, 0x27));
  for (const int unknown : {0x00, 0x01, 0x0c, 0x1b, 0x2c, 0x2d, 0x2e, 0x34, 0xff})
    CHECK_FALSE(value(0x22, 1, unknown, 0x27));
}

TEST_CASE("any bytes have a value or none") {
  std::mt19937 chance(1);
  for (int round = 0; round < 20000; ++round) {
    std::string bytes(chance() % 40, '\0');
    for (char& byte : bytes) byte = static_cast<char>(chance() % 3 == 0 ? chance() : chance() % 0x36);
    (void)evaluate(bytes, kContext);
  }
}
