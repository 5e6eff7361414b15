// Which hardware event counts retired conditional branches on which CPU, and what is known to go wrong with it.
//
// The problem: there is no architectural event for conditional branches alone. Each microarchitecture has its own code,
// on hybrid CPUs each kind of core has, and some count too much under circumstances that only errata or other people's
// debugging tell. The solution: one table by CPUID vendor, family and model. A model that is not in the table gets no
// event: a code that happens to count the self-test's loop right may still count interrupts. Rejected: "all branches"
// (an architectural event), which counts interrupts and faults too, and so differs from run to run.
//
// Sources: Intel's published event files (github.com/intel/perfmon, also tools/perf/pmu-events/arch/x86 in Linux),
// BR_INST_RETIRED.CONDITIONAL or .COND; Intel SDM volume 3B, "Performance Monitoring"; AMD's Processor Programming
// References, PMCx0D1; skid bounds and quirks from the issues of github.com/rr-debugger/rr named below.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tmrec::sched {

enum class CpuVendor : std::uint8_t { Intel, Amd, Other };

// CPUID leaf 0 and leaf 1, with the extended fields joined as Intel SDM volume 2A (CPUID) and AMD APM volume 3 say.
struct CpuId {
  CpuVendor vendor = CpuVendor::Other;
  std::uint32_t family = 0;
  std::uint32_t model = 0;
  std::uint32_t stepping = 0;
  friend bool operator==(const CpuId&, const CpuId&) = default;
};

// `signature`: eax of CPUID leaf 1.
CpuId decode_cpu_id(CpuVendor vendor, std::uint32_t signature);
CpuId current_cpu_id();
// "Intel family 0x6 model 0x8c stepping 1"
std::string describe(const CpuId& cpu);

// What makes the count differ from the number of conditional branches, or from run to run.
enum Quirk : std::uint32_t {
  kNoQuirk = 0,
  // Conditional branches of transactions that abort are counted although they never happened (TSX; rr issues 1883,
  // 2332). The program must not use transactions: cpuid hides RTM, and HLE must be off.
  kTransactions = 1u << 0,
  // A `lock` instruction executed ahead of its turn and rolled back leaves what followed it counted (rr issue 2034).
  // MSRC001_1020 bit 54 switches this off; a counter shows whether it is on (pmu_self_test.h).
  kSpecLockMap = 1u << 1,
  // The handler of a system management interrupt is counted unless freeze_on_smi is 1 (rr issue 3045).
  kSystemManagement = 1u << 2,
  // Retirement events may overcount: AMD erratum 1292 (family 19h models 00-0Fh, and in other forms before), Intel SRF7
  // against BR_INST_RETIRED.COND of Sierra Forest. No workaround from user mode; replay finds it as a desync.
  kRetirementErratum = 1u << 3,
};

enum class CoreKind : std::uint8_t { Only, Performance, Efficient };

struct PmuEvent {
  std::string_view name;  // for the manifest: "intel-golden-cove"
  CoreKind core = CoreKind::Only;
  // perf_event_attr.config: event select in bits 0-7, unit mask in bits 8-15, and its extension in bits 40-47 (Linux,
  // arch/x86/events/intel/core.c, "umask" format; the extension needs Linux 6.11).
  std::uint64_t config = 0;
  // An interrupt asked for at count N arrives at a count of at most N + skid_bound.
  std::uint32_t skid_bound = 0;
  std::uint32_t quirks = kNoQuirk;
};

// The events of a CPU, the preferred first: two for hybrid CPUs (performance cores, efficient cores), else one; none
// when the model is unknown.
std::vector<PmuEvent> pmu_events(const CpuId& cpu);

// One row for each model, for listings and tests.
struct PmuTableRow {
  CpuVendor vendor;
  std::uint32_t family;
  std::uint32_t first_model, last_model;  // inclusive
  PmuEvent event;
};
std::span<const PmuTableRow> pmu_table();

// Counts `lock` instructions executed ahead of their turn on Zen: AMD PPR, PMCx025 with unit mask 08h
// (SpecLockMapCommit). Stays 0 when that is switched off.
inline constexpr std::uint64_t kSpecLockMapCommits = 0x0825;

}  // namespace tmrec::sched
