#include "replayer/detour.h"

#include <algorithm>
#include <cstring>

#include <doctest/doctest.h>

#include "tracee/patch/block.h"
#include "tracee/patch/decode.h"

using namespace tmrec;
using namespace tmrec::replayer;

namespace {

using Code = std::vector<std::uint8_t>;

constexpr std::uint64_t kPlace = 0x5555'5555'6000, kAt = kPlace - 0x3000'0000;
const Code kCondition = {0x31, 0xc0};  // xor %eax,%eax

std::optional<Detour> detour(Code bytes) {
  bytes.resize(kMostDisplaced, 0x90);
  return make_detour(kPlace, bytes, kCondition, kAt);
}

std::span<const std::uint8_t> code_at(const Detour& of, std::uint64_t addr) {
  return std::span(of.code).subspan(addr - of.at);
}

// Of the branch or operand that the instruction at this address of the code has.
std::uint64_t target(const Detour& of, std::uint64_t addr) {
  const auto bytes = code_at(of, addr);
  const auto insn = patch::decode(bytes, 0);
  REQUIRE(insn);
  const std::int64_t far =
      insn->rip_displacement != 0 ? patch::rip_displacement(*insn, bytes) : patch::branch_displacement(*insn, bytes);
  return addr + insn->length + static_cast<std::uint64_t>(far);
}

}  // namespace

TEST_CASE("whole instructions are displaced, and the detour leads back behind them") {
  const auto made = detour({0x48, 0x89, 0xfb, 0x31, 0xc0, 0x48, 0x83, 0xff, 0x03});  // mov; xor; cmp
  REQUIRE(made);
  CHECK(made->displaced == Code{0x48, 0x89, 0xfb, 0x31, 0xc0});
  CHECK(made->jump.size() == made->displaced.size());
  CHECK(kPlace + kJump + static_cast<std::uint64_t>(std::int64_t{[&] {
          std::int32_t far = 0;
          std::memcpy(&far, made->jump.data() + 1, sizeof far);
          return far;
        }()}) ==
        kAt);
  REQUIRE(made->copies.size() == 3);
  CHECK(std::ranges::equal(code_at(*made, made->copies[0].at).first(5), made->displaced));
  CHECK(made->original_of(made->copies[1].at) == kPlace + 3);
  CHECK(made->copy_of(kPlace + 3) == made->copies[1].at);
  CHECK_FALSE(made->copy_of(kPlace));
  CHECK_FALSE(made->copy_of(kPlace + 5));
  CHECK(target(*made, made->copies[2].at) == kPlace + 5);
  CHECK(code_at(*made, made->asks)[0] == 0xcc);
  CHECK(std::ranges::equal(code_at(*made, made->work).first(2), kCondition));
}

TEST_CASE("what depends on its place leads where it led") {
  auto made = detour({0x48, 0x8b, 0x05, 0x10, 0, 0, 0});  // mov 16(%rip),%rax
  REQUIRE(made);
  CHECK(target(*made, made->copies[0].at) == kPlace + 7 + 16);
  made = detour({0x80, 0x3d, 0xf0, 0xff, 0xff, 0xff, 0x01});  // cmpb $1,-16(%rip)
  REQUIRE(made);
  CHECK(target(*made, made->copies[0].at) == kPlace + 7 - 16);
  CHECK(code_at(*made, made->copies[0].at)[6] == 0x01);
  made = detour({0x74, 0x20, 0xeb, 0x80, 0xc3});  // je; jmp; ret
  REQUIRE(made);
  CHECK(target(*made, made->copies[0].at) == kPlace + 2 + 0x20);
  CHECK(target(*made, made->copies[1].at) == kPlace + 4 - 0x80);
  made = detour({0x0f, 0x85, 0, 1, 0, 0});  // jne
  REQUIRE(made);
  CHECK(target(*made, made->copies[0].at) == kPlace + 6 + 0x100);
  made = detour({0xe8, 0, 2, 0, 0});  // call: its return address, and a jump
  REQUIRE(made);
  const Code pushes = {0x68, 0x05, 0x60, 0x55, 0x55, 0xc7, 0x44, 0x24, 0x04, 0x55, 0x55, 0, 0};
  CHECK(std::ranges::equal(code_at(*made, made->copies[0].at).first(pushes.size()), pushes));
  CHECK(target(*made, made->copies[0].at + pushes.size()) == kPlace + 5 + 0x200);
}

TEST_CASE("what can't be displaced") {
  for (const Code& bytes : {Code{0x0f, 0x05},  // syscall
                            Code{0x0f, 0x31},  // rdtsc
                            Code{0xcc},        // int3
                            Code{0xd9, 0xe8},  // fld1
                            Code{0xe2, 0xfe},  // loop
                            Code{0xff, 0xd0},  // call *%rax
                            Code{0x90, 0x90, 0x0f, 0x05}, Code{0x06}}) {
    CHECK_FALSE(detour(bytes));
  }
  CHECK_FALSE(make_detour(kPlace, Code{0x90, 0x90}, kCondition, kAt));  // no memory behind them
  const Code far = {0x48, 0x8b, 0x05, 0, 0, 0, 0x70};                   // what it refers to is out of reach
  CHECK(make_detour(kPlace, far, kCondition, kPlace + 0x4000'0000));
  CHECK_FALSE(make_detour(kPlace, far, kCondition, kPlace - 0x4000'0000));
  CHECK_FALSE(make_detour(kPlace, Code(8, 0x90), kCondition, kPlace + 0x1'0000'0000));
}

TEST_CASE("whoever comes to the inside of a jump traps") {
  const auto addresses = addresses_for_detour(kPlace);
  CHECK(addresses.size() > 1000);
  for (const std::uint64_t at : addresses) {
    const auto far = static_cast<std::uint32_t>(at - kPlace - kJump);
    for (int byte = 0; byte < 4; ++byte) CHECK(patch::is_trapping(static_cast<std::uint8_t>(far >> (8 * byte))));
  }
}
