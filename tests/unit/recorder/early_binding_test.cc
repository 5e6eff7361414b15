// An initial stack made up in this process.
#include "recorder/early_binding.h"

#include <doctest/doctest.h>
#include <elf.h>
#include <unistd.h>

#include <cstring>
#include <vector>

using namespace tmrec;

namespace {

std::uint64_t address(const void* p) { return reinterpret_cast<std::uint64_t>(p); }

struct Stack {
  std::vector<std::uint64_t> words;
  tracee::RemoteMemory memory = *tracee::RemoteMemory::open(getpid());

  Stack(const std::vector<const char*>& environment, std::uint64_t linker) {
    words = {1, address("program"), 0};
    for (const char* variable : environment) words.push_back(address(variable));
    words.insert(words.end(), {0, AT_PAGESZ, 4096, AT_BASE, linker, AT_NULL, 0});
  }
  std::uint64_t rsp() const { return address(words.data()); }
};

constexpr char kShown[] = "LD_BIND_NOW=1";

}  // namespace

TEST_CASE("the environment and the auxiliary vector are found behind the arguments") {
  Stack stack({"A=1", "B=2"}, 0x7000);
  auto read = recorder::read_initial_stack(stack.memory, stack.rsp());
  REQUIRE(read);
  REQUIRE(read->environment.size() == 2);
  CHECK(read->environment[0].value == address(&stack.words[3]));
  REQUIRE(read->auxiliary.size() == 2);
  CHECK(read->auxiliary[1].type == AT_BASE);
  CHECK(read->auxiliary[1].value == 0x7000);
}

TEST_CASE("a variable gives way and gets its place back") {
  Stack stack({"A=1", "B=2", "LD_LIBRARY_PATH=/x"}, 0x7000);
  const auto before = stack.words;
  auto hidden = recorder::bind_early(stack.memory, stack.rsp(), RemoteAddr(address(kShown)));
  REQUIRE(hidden);
  CHECK(stack.words[4] == address(kShown));  // B: the last that the linker does not read
  CHECK(stack.words[3] == before[3]);
  CHECK(stack.words[5] == before[5]);
  Extent written = recorder::take_back(stack.memory, *hidden);
  CHECK(stack.words == before);
  CHECK(written.addr.value == address(&stack.words[4]));
  CHECK(std::memcmp(written.bytes.data(), &before[4], 8) == 0);
}

TEST_CASE("nothing is touched without a linker, without a variable, or where there is no stack") {
  Stack without_linker({"A=1"}, 0), only_the_linkers({"LD_PRELOAD=x", "MALLOC_ARENA_MAX=1"}, 0x7000), empty({}, 0x7000);
  for (Stack* stack : {&without_linker, &only_the_linkers, &empty}) {
    const auto before = stack->words;
    CHECK_FALSE(recorder::bind_early(stack->memory, stack->rsp(), RemoteAddr(address(kShown))));
    CHECK(stack->words == before);
  }
  CHECK_FALSE(recorder::read_initial_stack(empty.memory, 8));
}
