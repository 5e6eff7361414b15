#include "probe.h"

#include <doctest/doctest.h>
#include <sys/mman.h>

#include <vector>

#include "syscalls/decide.h"

namespace tmrec::syscalls::test {

namespace {

constexpr std::size_t kArena = 1 << 20;

std::int64_t raw_syscall(const Call& c) {
  std::int64_t ret;
  register std::uint64_t r10 asm("r10") = c.args[3];
  register std::uint64_t r8 asm("r8") = c.args[4];
  register std::uint64_t r9 asm("r9") = c.args[5];
  asm volatile("syscall"
               : "=a"(ret)
               : "a"(static_cast<std::uint64_t>(c.nr)), "D"(c.args[0]), "S"(c.args[1]), "d"(c.args[2]), "r"(r10),
                 "r"(r8), "r"(r9)
               : "rcx", "r11", "memory");
  return ret;
}

std::set<std::uint32_t>& proved_calls() {
  static std::set<std::uint32_t> calls;
  return calls;
}

}  // namespace

Probe::Probe(unsigned char pattern) {
  void* at = mmap(nullptr, kArena, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(at != MAP_FAILED);
  arena_ = static_cast<unsigned char*>(at);
  std::memset(arena_, pattern, kArena);
}

Probe::~Probe() { munmap(arena_, kArena); }

void* Probe::buffer(std::size_t n) {
  constexpr std::size_t kGap = 256;
  used_ = (used_ + kGap + 63) & ~std::size_t{63};
  REQUIRE(used_ + n + kGap < kArena);
  void* at = arena_ + used_;
  used_ += n;
  return at;
}

std::int64_t Probe::perform(const Call& c) {
  LocalMemory memory;
  RangeSink inputs;
  sink_ = {};
  changed_ = 0;
  CAPTURE(std::string(row(c.nr).name));
  capture_inputs(c, memory, inputs);
  for (const Range& r : inputs.inputs) {
    std::vector<char> bytes(r.len);
    CHECK(memory.read(r.addr, bytes.data(), r.len));
  }
  CHECK(decide(c).policy != Policy::Refuse);
  EntryNotes notes = note_entry(c, memory);
  notes.whole_buffers = direct_io_;
  const std::vector<unsigned char> before(arena_, arena_ + kArena);
  const std::int64_t ret = raw_syscall(c);
  const std::vector<unsigned char> after(arena_, arena_ + kArena);
  capture_outputs(c, notes, ret, memory, sink_);
  CAPTURE(ret);
  for (std::size_t i = 0; i < kArena; ++i) {
    if (before[i] == after[i]) continue;
    ++changed_;
    const bool captured = sink_.wrote(reinterpret_cast<std::uint64_t>(arena_) + i);
    CAPTURE(i);
    if (!captured) CHECK(captured);
  }
  if (changed_) proved_calls().insert(c.nr);
  return ret;
}

const std::set<std::uint32_t>& Probe::proved() { return proved_calls(); }

}  // namespace tmrec::syscalls::test
