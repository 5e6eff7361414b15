// Everything that captures must work without a library, exceptions and type information: this unit is compiled so.
#include "freestanding_capture.h"

#include "syscalls/capture.h"
#include "syscalls/decide.h"
#include "syscalls/effects.h"

namespace tmrec::syscalls::test {

namespace {

// As in the agent: the program's memory is its own. Only good addresses come here.
struct OwnMemory {
  bool read(std::uint64_t addr, void* dst, std::size_t n) {
    const auto* from = reinterpret_cast<const volatile unsigned char*>(addr);
    auto* to = static_cast<volatile unsigned char*>(dst);
    for (std::size_t i = 0; i < n; ++i) to[i] = from[i];
    return addr >= 4096;
  }
};

struct Counter {
  std::uint64_t bytes = 0;
  void input(std::uint64_t, std::uint64_t len) { bytes += len; }
  void output(std::uint64_t, std::uint64_t len) { bytes += len; }
};

}  // namespace

std::uint64_t freestanding_capture(std::uint32_t nr, const std::uint64_t (&args)[6], std::int64_t ret) {
  Call call{.nr = nr, .args = {}};
  for (int i = 0; i < 6; ++i) call.args[i] = args[i];
  OwnMemory memory;
  Counter counter;
  if (decide(call).policy == Policy::Refuse) return 0;
  capture_inputs(call, memory, counter);
  const EntryNotes notes = note_entry(call, memory);
  capture_while_blocked(call, memory, counter);
  capture_outputs(call, notes, ret, memory, counter);
  const FileEffect effect = file_effect(call, ret, memory);
  if (effect.kind == FileEffect::Kind::Write && data_in_memory(call)) written_data(call, ret, memory, counter);
  return counter.bytes;
}

}  // namespace tmrec::syscalls::test
