// The agent and patched code in the test's own process, without a supervisor: counting, going on when nobody answers,
// and undoing it all.
#include <doctest/doctest.h>

#include <asm/prctl.h>
#include <dlfcn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "format/file_io.h"
#include "tracee/agent/agent.h"
#include "tracee/patched_space.h"
#include "tracee/proc.h"

using namespace tmrec;

namespace {

bool map_at(RemoteAddr at, std::uint64_t size, int prot) {
  auto* wanted = reinterpret_cast<void*>(at.value);
  return mmap(wanted, size, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_NORESERVE, -1, 0) == wanted;
}

using Function = long (*)(long);

// The module, patched; one for all tests, since neither the agent's region nor the module go away.
struct Patched {
  void* library = dlopen(TMREC_PATCH_LOOPS, RTLD_NOW);
  tracee::RemoteMemory memory = *tracee::RemoteMemory::open(getpid());
  tracee::PatchedSpace space;
  std::shared_ptr<const patch::Plan> plan;
  RemoteAddr text, area = agent::area(3);
  Bytes before;

  Patched() {
    REQUIRE(library);
    const auto file = MappedFile::open(TMREC_PATCH_LOOPS);
    REQUIRE(file);
    auto made = patch::make_plan(file->bytes(), {.syscalls = false});
    REQUIRE(made);
    plan = std::make_shared<const patch::Plan>(std::move(*made));
    const auto maps = tracee::read_maps(getpid());
    REQUIRE(maps);
    for (const auto& map : *maps) {
      if (map.name == TMREC_PATCH_LOOPS && (map.prot & PROT_EXEC) != 0)
        text = tracee::text_of(*plan, map.start, map.offset);
    }
    REQUIRE(text.value != 0);
    before = memory.read_some(text, plan->text_size);
    REQUIRE(map_at(RemoteAddr(agent::kBase), agent::kSize, PROT_READ | PROT_WRITE));
    REQUIRE(agent::install(memory));
    REQUIRE(agent::prepare_area(memory, area, 1 << 20));
    mprotect(reinterpret_cast<void*>(agent::kBase), agent::kExecutable, PROT_READ | PROT_EXEC);
    REQUIRE(syscall(SYS_arch_prctl, ARCH_SET_GS, area.value) == 0);
    const RemoteAddr block = tracee::block_of(*plan, text);
    REQUIRE(map_at(block, plan->block.size(), PROT_READ | PROT_EXEC));
    REQUIRE(space.apply(memory, {text, block, plan, "loops"}));
  }

  Function function(const char* name) const { return reinterpret_cast<Function>(dlsym(library, name)); }
  std::uint64_t left() const { return *agent::counter(memory, area); }
};

Patched& patched() {
  static Patched once;
  return once;
}

}  // namespace

TEST_CASE("patched code counts, and goes on when nobody stops it") {
  Patched& p = patched();
  const Function sum_down = p.function("sum_down"), with_loop = p.function("with_loop");
  const std::uint64_t before = p.left();
  CHECK(sum_down(1000) == 500500);
  constexpr std::uint64_t kTicks = 1 + 998 / 8;  // the copy of the loop counts eight rounds at a time
  CHECK(before - p.left() == kTicks);
  // The counter runs out in the middle, and no supervisor is there.
  static_assert(kTicks == 125);
  for (const std::uint64_t ticks : {1, 2, 60, 124, 125}) {
    REQUIRE(agent::set_counter(p.memory, p.area, ticks));
    CHECK(sum_down(1000) == 500500);
    CHECK(p.left() == ticks - kTicks);
    REQUIRE(agent::set_counter(p.memory, p.area, ticks));
    CHECK(with_loop(1000) == 500500);
  }
}

TEST_CASE("an address in a trampoline is shown as the program's") {
  Patched& p = patched();
  const tracee::PatchedModule& module = p.space.modules().front();
  Regs regs;
  for (const patch::Place& place : p.plan->places) {
    regs.rip = module.block.value + place.block;
    regs.rcx = 77;
    const Regs shown = p.space.program_view(p.memory, p.area, regs);
    if (place.phase == patch::Phase::Stub) {
      CHECK(shown == regs);
      continue;
    }
    CHECK(module.in_text(shown.rip));
    CHECK(shown.rip == module.text.value + place.program);
    regs.rcx = regs.rip;  // as the kernel leaves it behind a system call
    CHECK((p.space.program_view(p.memory, p.area, regs).rcx == shown.rip) == (place.phase == patch::Phase::Going));
    CHECK((p.space.before_counting(regs) == module.block + place.block) == (place.phase == patch::Phase::Scratch));
  }
  regs.rip = 0x1234;
  CHECK(p.space.program_view(p.memory, p.area, regs) == regs);
  CHECK(p.space.with_block(module.block_end().value) == nullptr);
}

TEST_CASE("a trap inside a window goes on at the instruction that was there") {
  Patched& p = patched();
  const tracee::PatchedModule& module = p.space.modules().front();
  siginfo_t trap{};
  trap.si_signo = SIGTRAP;
  trap.si_code = SI_KERNEL;
  int windows = 0;
  for (const patch::Edit& edit : p.plan->edits) {
    for (std::uint32_t at = edit.program + 1; at < edit.program + edit.length; ++at) {
      const auto copies = p.plan->copies_of(at);
      if (copies.empty()) continue;
      Regs regs;
      regs.rip = module.text.value + at + 1;  // behind the int3
      const auto way_out = p.space.way_out(trap, regs);
      REQUIRE(way_out);
      CHECK(*way_out == module.block + copies.front());
      ++windows;
    }
  }
  CHECK(windows > 0);
  Regs elsewhere;
  elsewhere.rip = module.text_end().value + 16;
  CHECK_FALSE(p.space.way_out(trap, elsewhere));
  trap.si_code = TRAP_BRKPT;  // somebody's breakpoint
  CHECK_FALSE(p.space.way_out(trap, elsewhere));
}

TEST_CASE("what is patched can be undone from the process's memory alone") {
  Patched& p = patched();
  CHECK(p.memory.read_some(p.text, p.before.size()) != p.before);
  tracee::undo_all_patches(getpid(), p.memory);
  CHECK(p.memory.read_some(p.text, p.before.size()) == p.before);
  const std::uint64_t left = p.left();
  CHECK(p.function("sum_down")(1000) == 500500);
  CHECK(p.left() == left);
  tracee::undo_all_patches(getpid(), p.memory);  // nothing is listed any more
  CHECK(p.memory.read_some(p.text, p.before.size()) == p.before);
}
