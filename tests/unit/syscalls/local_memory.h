// This process's own memory as a capture accessor, and a sink that remembers ranges.
#pragma once

#include <sys/uio.h>
#include <unistd.h>

#include <cstdint>
#include <vector>

namespace tmrec::syscalls::test {

// Reads as a supervisor does: a bad address is a failure, not a signal.
struct LocalMemory {
  bool read(std::uint64_t addr, void* dst, std::size_t n) {
    iovec local{dst, n};
    iovec remote{reinterpret_cast<void*>(addr), n};
    return process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == static_cast<ssize_t>(n);
  }
};

struct Range {
  std::uint64_t addr, len;
};

struct RangeSink {
  std::vector<Range> inputs, outputs;
  void input(std::uint64_t addr, std::uint64_t len) { inputs.push_back({addr, len}); }
  void output(std::uint64_t addr, std::uint64_t len) { outputs.push_back({addr, len}); }

  bool wrote(std::uint64_t addr) const {
    for (const Range& r : outputs)
      if (addr >= r.addr && addr - r.addr < r.len) return true;
    return false;
  }
  std::uint64_t total() const {
    std::uint64_t sum = 0;
    for (const Range& r : outputs) sum += r.len;
    return sum;
  }
};

}  // namespace tmrec::syscalls::test
