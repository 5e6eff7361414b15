// Which instructions use %gs, and what becomes of modules that have some.
#include <doctest/doctest.h>

#include "tests/unit/patch/modules.h"
#include "tracee/patch/decode.h"
#include "tracee/patch/plan.h"

using namespace tmrec::patch;

namespace {

bool uses_gs(std::initializer_list<std::uint8_t> bytes) {
  const std::vector<std::uint8_t> code(bytes);
  const auto insn = decode(code, 0);
  REQUIRE(insn);
  CHECK(insn->length == code.size());
  return insn->gs;
}

}  // namespace

TEST_CASE("accesses through gs, and changes of its base") {
  CHECK(uses_gs({0x65, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0}));  // mov %gs:0,%rax
  CHECK(uses_gs({0x65, 0x48, 0x89, 0x07}));                    // mov %rax,%gs:(%rdi)
  CHECK(uses_gs({0x65, 0xff, 0x25, 0, 0, 0, 0}));              // jmp *%gs:0(%rip)
  CHECK(uses_gs({0x66, 0x65, 0x0f, 0x6f, 0x00}));              // movdqa %gs:(%rax),%xmm0
  CHECK(uses_gs({0x65, 0xc5, 0xf9, 0x6f, 0x00}));              // vmovdqa %gs:(%rax),%xmm0
  CHECK(uses_gs({0x65, 0xa4}));                                // movsb %gs:(%rsi),(%rdi)
  CHECK(uses_gs({0x65, 0xa1, 1, 2, 3, 4, 5, 6, 7, 8}));        // movabs %gs:...,%eax
  CHECK(uses_gs({0xf3, 0x48, 0x0f, 0xae, 0xd8}));              // wrgsbase %rax
  CHECK(uses_gs({0xf3, 0x0f, 0xae, 0xc8}));                    // rdgsbase %eax
  CHECK(uses_gs({0x0f, 0x01, 0xf8}));                          // swapgs
  CHECK(uses_gs({0x8e, 0xe8}));                                // mov %eax,%gs
  CHECK(uses_gs({0x0f, 0xa9}));                                // pop %gs
}

TEST_CASE("what only looks like it") {
  CHECK(!uses_gs({0x64, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0}));     // mov %fs:0,%rax
  CHECK(!uses_gs({0x65, 0x66, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0}));  // nopw %gs:...
  CHECK(!uses_gs({0x65, 0x90}));                                   // nop
  CHECK(!uses_gs({0x65, 0x48, 0x8d, 0x04, 0x25, 0, 0, 0, 0}));     // lea %gs:0,%rax
  CHECK(!uses_gs({0x65, 0x48, 0x89, 0xc8}));                       // mov %rcx,%rax
  CHECK(!uses_gs({0x65, 0xe8, 0, 0, 0, 0}));                       // call
  CHECK(!uses_gs({0xf3, 0x48, 0x0f, 0xae, 0xd0}));                 // wrfsbase %rax
  CHECK(!uses_gs({0x0f, 0xae, 0xe8}));                             // lfence
  CHECK(!uses_gs({0x8c, 0xe8}));                                   // mov %gs,%eax
  CHECK(!uses_gs({0x8e, 0xe0}));                                   // mov %eax,%fs
  CHECK(!uses_gs({0x48, 0x8b, 0x04, 0x65, 0, 0, 0, 0}));           // mov 0(,%riz,2),%rax: 65 is a SIB byte
}

TEST_CASE("a module that uses gs is refused, whatever its place") {
  for (const Reach reach : {Reach::Below, Reach::FarBelow, Reach::Above}) {
    PlanOptions options;
    options.reach = reach;
    const auto plan = make_plan(contents(TMREC_PATCH_GS), options);
    REQUIRE(!plan);
    CHECK(plan.error().text == kUsesGs);
  }
}
