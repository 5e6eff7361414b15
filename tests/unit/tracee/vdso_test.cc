// The vdso of this process, patched in a child that then calls through it; and instructions that trap.
#include "tracee/vdso.h"

#include <cpuid.h>
#include <doctest/doctest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>

#include "tracee/fork_room.h"
#include "tracee/instruction.h"
#include "tracee/proc.h"

using namespace tmrec;

namespace {

std::uint64_t address(const void* p) { return reinterpret_cast<std::uint64_t>(p); }

// What the child saw, as its exit status: 0 is good.
template <class Body>
int in_child(Body&& body) {
  pid_t child = fork();
  if (child == 0) _exit(body());
  int status = -1;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::optional<tracee::MapsLine> vdso() {
  auto maps = tracee::read_maps(getpid());
  REQUIRE(maps);
  for (const auto& map : *maps) {
    if (map.name == "[vdso]") return map;
  }
  return std::nullopt;
}

}  // namespace

TEST_CASE("a child that is born in the room for forks ends there, its parent goes on") {
  auto map = vdso();
  if (!map) return;
  const int seen = in_child([&] {
    auto memory = tracee::RemoteMemory::open(getpid());
    if (!memory) return 1;
    const std::uint64_t size = map->end - map->start;
    constexpr RemoteAddr kParent(0x1234);
    const auto room = tracee::make_fork_room(*memory, map->start, size, kParent);
    if (!room) return 0;  // the image fills its pages
    Regs regs;
    const auto ends = [&](std::uint64_t at, std::uint64_t rax, std::uint64_t rcx) {
      regs.rip = room->value + at, regs.rax = rax, regs.rcx = rcx;
      return tracee::ends_in_fork_room(*memory, map->start, size, regs);
    };
    constexpr std::uint64_t kChild = 4711;
    if (ends(0, 56, 0) || ends(2, kChild, 0) || ends(5, kChild, kChild) || ends(7, kChild, kChild)) return 2;
    if (!ends(2, 0, 1) || !ends(5, 0, 0) || !ends(13, 0, 0) || !ends(20, 231, 0)) return 3;
    if (ends(std::uint64_t{1} << 20, 0, 0)) return 4;
    regs.rip = room->value + 7;
    const auto left = tracee::leave_fork_room(*memory, map->start, size, regs);
    return left && left->rip == kParent.value ? 0 : 5;
  });
  CHECK(seen == 0);
}

TEST_CASE("a patched vdso answers through the system call") {
  auto map = vdso();
  if (!map) return;
  const int seen = in_child([&] {
    auto memory = tracee::RemoteMemory::open(getpid());
    if (!memory) return 1;
    auto patched = tracee::patch_vdso(*memory, map->start, map->end - map->start);
    if (!patched) return 2;
    if (!tracee::is_call_gadget(*memory, patched->call_gadget)) return 3;
    if (tracee::is_call_gadget(*memory, patched->call_gadget + 1)) return 4;
    if (memory->read_string(patched->bind_now, 64) != "LD_BIND_NOW=1") return 5;
    // libc goes through the vdso.
    timespec now{}, later{};
    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0 || clock_gettime(CLOCK_MONOTONIC, &later) != 0) return 6;
    if (later.tv_sec < now.tv_sec || (now.tv_sec == 0 && now.tv_nsec == 0)) return 7;
    if (clock_gettime(12345, &now) != -1 || errno != EINVAL) return 8;
    return 0;
  });
  CHECK(seen == 0);
}

TEST_CASE("an image that is no vdso is left as it was") {
  void* pages = mmap(nullptr, 2 * kPageSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  std::memset(pages, 0x5a, 2 * kPageSize);
  auto memory = tracee::RemoteMemory::open(getpid());
  REQUIRE(memory);
  CHECK_FALSE(tracee::patch_vdso(*memory, RemoteAddr(address(pages)), 2 * kPageSize));
  const auto* bytes = static_cast<const unsigned char*>(pages);
  for (std::size_t i = 0; i < 2 * kPageSize; ++i) REQUIRE(bytes[i] == 0x5a);
  munmap(pages, 2 * kPageSize);
}

TEST_CASE("trapping instructions are told from other faults") {
  using Kind = InstructionEvent::Kind;
  auto memory = tracee::RemoteMemory::open(getpid());
  REQUIRE(memory);
  siginfo_t protection{};
  protection.si_signo = SIGSEGV;
  protection.si_code = SI_KERNEL;
  auto kind_of = [&](const void* code, const siginfo_t& info) {
    Regs regs;
    regs.rip = address(code);
    return tracee::trapped_instruction(info, regs, *memory);
  };
  CHECK(kind_of("\x0f\x31\x90", protection) == Kind::Rdtsc);
  CHECK(kind_of("\x0f\x01\xf9", protection) == Kind::Rdtscp);
  CHECK(kind_of("\x0f\xa2\x90", protection) == Kind::Cpuid);
  CHECK_FALSE(kind_of("\x0f\x01\xd0", protection));  // xgetbv
  siginfo_t access = protection;
  access.si_code = SEGV_MAPERR;
  CHECK_FALSE(kind_of("\x0f\x31\x90", access));
}

TEST_CASE("an instruction performed goes on behind it with this machine's values") {
  using Kind = InstructionEvent::Kind;
  Regs before;
  before.rip = 0x1000;
  before.rbx = 7;
  before.rax = ~std::uint64_t{0};
  Regs first = tracee::perform(Kind::Rdtsc, before), second = tracee::perform(Kind::Rdtscp, before);
  CHECK(first.rip == 0x1002);
  CHECK(second.rip == 0x1003);
  CHECK(first.rbx == 7);
  CHECK(((second.rdx << 32) | second.rax) > ((first.rdx << 32) | first.rax));
  before.rax = before.rcx = 0;
  Regs leaf = tracee::perform(Kind::Cpuid, before);
  unsigned a = 0, b = 0, c = 0, d = 0;
  __cpuid(0, a, b, c, d);
  CHECK(leaf.rip == 0x1002);
  CHECK(leaf.rax == a);
  CHECK(leaf.rbx == b);
  CHECK(leaf.rcx == c);
  CHECK(leaf.rdx == d);
}
