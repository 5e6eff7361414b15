// A lesser CPU for the program to see, so that what it chooses can be executed where the trace is replayed.
//
// The problem: libraries choose instructions by cpuid when they start, and a replay executes what was chosen. The
// solution: what cpuid and xgetbv return to the program is recorded and replayed already, and is limited to what the
// baseline has before the program gets it; likewise the auxiliary vector. That reaches all code that is patched, libc's
// and the dynamic loader's for instance, and all code where the CPU can trap cpuid. Elsewhere cpuid answers as the CPU
// is, which a note of the recording says.
//
// Rejected: GLIBC_TUNABLES in the program's environment, which it can see, and nobody but glibc reads.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "format/cpu_info.h"
#include "format/event.h"

namespace tmrec::recorder {

class CpuBaseline {
 public:
  // As the CPU is, without transactions (TSX).
  CpuBaseline() = default;
  // nullopt: no such name.
  static std::optional<CpuBaseline> named(std::string_view name);
  static std::string names();  // for people

  bool is_native() const { return model_ == nullptr; }
  // What cpuid or xgetbv has given; of others nothing.
  void limit(InstructionEvent& event) const;
  std::uint64_t limit_hwcap2(std::uint64_t bits) const;
  // What the manifest says of the CPU.
  void limit(CpuInfo& cpu) const;

  struct Model;

 private:
  explicit CpuBaseline(const Model* model) : model_(model) {}
  const Model* model_ = nullptr;
};

}  // namespace tmrec::recorder
