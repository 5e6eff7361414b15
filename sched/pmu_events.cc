#include "sched/pmu_events.h"

#include <cpuid.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace tmrec::sched {
namespace {

// Unit masks of event C4h. Big cores: 01h until Comet Lake, 11h (taken | not taken) since Ice Lake, 111h in Lion Cove,
// where 11h leaves out the branches taken forward; Cougar Cove has one bit each for taken backward, taken forward and
// not taken. Small cores: 7Eh (all but the masked kinds) until Skymont, as Cougar Cove since Darkmont.
constexpr std::uint64_t kOldCore = 0x01c4;
constexpr std::uint64_t kIceLake = 0x11c4;
constexpr std::uint64_t kLionCove = 0x11c4 | 1ull << 40;
constexpr std::uint64_t kSmallCore = 0x7ec4;
constexpr std::uint64_t kThreeBits = 0x07c4;
constexpr std::uint64_t kZen = 0x00d1;

// Worst case seen by rr's users, rounded up: 100 until Rocket Lake, 125 since; on AMD interrupts come so late at times
// (issues 1552, 2034, 3614) that 10,000 became the bound. Small cores were never measured there: twice as much.
constexpr std::uint32_t kBigSkid = 128;
constexpr std::uint32_t kSmallSkid = 256;
constexpr std::uint32_t kZenSkid = 10'000;

constexpr std::uint32_t kTsx = kTransactions | kSystemManagement;
constexpr std::uint32_t kZenQuirks = kSpecLockMap;

constexpr PmuTableRow intel(std::uint32_t model, std::string_view name, std::uint64_t config, std::uint32_t quirks,
                            CoreKind core = CoreKind::Only) {
  const std::uint32_t skid = config == kSmallCore || core == CoreKind::Efficient ? kSmallSkid : kBigSkid;
  return {CpuVendor::Intel, 6, model, model, {name, core, config, skid, quirks}};
}

constexpr PmuTableRow zen(std::uint32_t family, std::uint32_t first, std::uint32_t last, std::string_view name,
                          std::uint32_t quirks = kZenQuirks) {
  return {CpuVendor::Amd, family, first, last, {name, CoreKind::Only, kZen, kZenSkid, quirks}};
}

constexpr CoreKind kPerformance = CoreKind::Performance;
constexpr CoreKind kEfficient = CoreKind::Efficient;
constexpr std::uint32_t kSmm = kSystemManagement;

// Models: Linux, arch/x86/include/asm/intel-family.h and tools/perf/pmu-events/arch/x86/mapfile.csv. Which of them had
// TSX: Intel SDM volume 1, chapter 17; all client models lost it by microcode, so the flag only asks for the check.
constexpr auto kTable = std::to_array<PmuTableRow>({
    intel(0x2a, "intel-sandy-bridge", kOldCore, kSmm),
    intel(0x2d, "intel-sandy-bridge-server", kOldCore, kSmm),
    intel(0x3a, "intel-ivy-bridge", kOldCore, kSmm),
    intel(0x3e, "intel-ivy-bridge-server", kOldCore, kSmm),
    intel(0x3c, "intel-haswell", kOldCore, kTsx),
    intel(0x45, "intel-haswell", kOldCore, kTsx),
    intel(0x46, "intel-haswell", kOldCore, kTsx),
    intel(0x3f, "intel-haswell-server", kOldCore, kTsx),
    intel(0x3d, "intel-broadwell", kOldCore, kTsx),
    intel(0x47, "intel-broadwell", kOldCore, kTsx),
    intel(0x4f, "intel-broadwell-server", kOldCore, kTsx),
    intel(0x56, "intel-broadwell-server", kOldCore, kTsx),
    intel(0x4e, "intel-skylake", kOldCore, kTsx),
    intel(0x5e, "intel-skylake", kOldCore, kTsx),
    intel(0x55, "intel-skylake-server", kOldCore, kTsx),  // and Cascade Lake, Cooper Lake
    intel(0x8e, "intel-kaby-lake", kOldCore, kTsx),
    intel(0x9e, "intel-kaby-lake", kOldCore, kTsx),  // and Coffee Lake
    intel(0xa5, "intel-comet-lake", kOldCore, kTsx),
    intel(0xa6, "intel-comet-lake", kOldCore, kTsx),
    intel(0x7d, "intel-ice-lake", kIceLake, kTsx),
    intel(0x7e, "intel-ice-lake", kIceLake, kTsx),
    intel(0x6a, "intel-ice-lake-server", kIceLake, kTsx),
    intel(0x6c, "intel-ice-lake-server", kIceLake, kTsx),
    intel(0x8c, "intel-tiger-lake", kIceLake, kTsx),
    intel(0x8d, "intel-tiger-lake", kIceLake, kTsx),
    intel(0xa7, "intel-rocket-lake", kIceLake, kTsx),
    intel(0x8f, "intel-sapphire-rapids", kIceLake, kTsx),
    intel(0xcf, "intel-emerald-rapids", kIceLake, kTsx),
    intel(0xad, "intel-granite-rapids", kIceLake, kTsx),
    intel(0xae, "intel-granite-rapids", kIceLake, kTsx),

    intel(0x97, "intel-golden-cove", kIceLake, kSmm, kPerformance),  // Alder Lake
    intel(0x97, "intel-gracemont", kSmallCore, kSmm, kEfficient),
    intel(0x9a, "intel-golden-cove", kIceLake, kSmm, kPerformance),
    intel(0x9a, "intel-gracemont", kSmallCore, kSmm, kEfficient),
    intel(0xb7, "intel-raptor-cove", kIceLake, kSmm, kPerformance),  // Raptor Lake
    intel(0xb7, "intel-gracemont", kSmallCore, kSmm, kEfficient),
    intel(0xba, "intel-raptor-cove", kIceLake, kSmm, kPerformance),
    intel(0xba, "intel-gracemont", kSmallCore, kSmm, kEfficient),
    intel(0xbf, "intel-raptor-cove", kIceLake, kSmm, kPerformance),
    intel(0xbf, "intel-gracemont", kSmallCore, kSmm, kEfficient),
    intel(0xaa, "intel-redwood-cove", kIceLake, kSmm, kPerformance),  // Meteor Lake
    intel(0xaa, "intel-crestmont", kSmallCore, kSmm, kEfficient),
    intel(0xac, "intel-redwood-cove", kIceLake, kSmm, kPerformance),
    intel(0xac, "intel-crestmont", kSmallCore, kSmm, kEfficient),
    intel(0xb5, "intel-redwood-cove", kIceLake, kSmm, kPerformance),
    intel(0xb5, "intel-crestmont", kSmallCore, kSmm, kEfficient),
    intel(0xbd, "intel-lion-cove", kLionCove, kSmm, kPerformance),  // Lunar Lake
    intel(0xbd, "intel-skymont", kSmallCore, kSmm, kEfficient),
    intel(0xc5, "intel-lion-cove", kLionCove, kSmm, kPerformance),  // Arrow Lake
    intel(0xc5, "intel-skymont", kSmallCore, kSmm, kEfficient),
    intel(0xc6, "intel-lion-cove", kLionCove, kSmm, kPerformance),
    intel(0xc6, "intel-skymont", kSmallCore, kSmm, kEfficient),
    intel(0xcc, "intel-cougar-cove", kThreeBits, kSmm, kPerformance),  // Panther Lake
    intel(0xcc, "intel-darkmont", kThreeBits, kSmm, kEfficient),
    intel(0xd5, "intel-cougar-cove", kThreeBits, kSmm, kPerformance),
    intel(0xd5, "intel-darkmont", kThreeBits, kSmm, kEfficient),

    intel(0x37, "intel-silvermont", kSmallCore, kSmm),
    intel(0x4a, "intel-silvermont", kSmallCore, kSmm),
    intel(0x4d, "intel-silvermont", kSmallCore, kSmm),
    intel(0x5a, "intel-silvermont", kSmallCore, kSmm),
    intel(0x4c, "intel-airmont", kSmallCore, kSmm),
    intel(0x57, "intel-knights-landing", kSmallCore, kSmm),
    intel(0x85, "intel-knights-mill", kSmallCore, kSmm),
    intel(0x5c, "intel-goldmont", kSmallCore, kSmm),
    intel(0x5f, "intel-goldmont", kSmallCore, kSmm),
    intel(0x7a, "intel-goldmont-plus", kSmallCore, kSmm),
    intel(0x86, "intel-tremont", kSmallCore, kSmm),
    intel(0x96, "intel-tremont", kSmallCore, kSmm),
    intel(0x9c, "intel-tremont", kSmallCore, kSmm),
    intel(0xbe, "intel-gracemont", kSmallCore, kSmm),  // Alder Lake N: small cores alone
    intel(0xaf, "intel-sierra-forest", kSmallCore, kSmm | kRetirementErratum),
    intel(0xb6, "intel-grand-ridge", kSmallCore, kSmm),
    {CpuVendor::Intel, 6, 0xdd, 0xdd, {"intel-clearwater-forest", CoreKind::Only, kThreeBits, kSmallSkid, kSmm}},

    zen(0x17, 0x00, 0x2f, "amd-zen", kZenQuirks | kRetirementErratum),  // Zen, Zen+
    zen(0x17, 0x30, 0xff, "amd-zen2", kZenQuirks | kRetirementErratum),
    zen(0x19, 0x00, 0x0f, "amd-zen3", kZenQuirks | kRetirementErratum),
    zen(0x19, 0x20, 0x5f, "amd-zen3"),
    zen(0x19, 0x10, 0x1f, "amd-zen4"),
    zen(0x19, 0x60, 0xaf, "amd-zen4"),
    zen(0x1a, 0x00, 0x4f, "amd-zen5"),
    zen(0x1a, 0x60, 0x7f, "amd-zen5"),
});

}  // namespace

CpuId decode_cpu_id(CpuVendor vendor, std::uint32_t signature) {
  const std::uint32_t base_family = signature >> 8 & 0xf;
  const std::uint32_t extended_model = signature >> 16 & 0xf;
  CpuId cpu{vendor, base_family, signature >> 4 & 0xf, signature & 0xf};
  if (base_family == 0xf) cpu.family += signature >> 20 & 0xff;
  if (base_family == 0xf || (base_family == 6 && vendor == CpuVendor::Intel)) cpu.model |= extended_model << 4;
  return cpu;
}

CpuId current_cpu_id() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  __cpuid(0, a, b, c, d);
  const CpuVendor vendor =
      b == signature_INTEL_ebx && c == signature_INTEL_ecx && d == signature_INTEL_edx ? CpuVendor::Intel
      : b == signature_AMD_ebx && c == signature_AMD_ecx && d == signature_AMD_edx     ? CpuVendor::Amd
                                                                                       : CpuVendor::Other;
  __cpuid(1, a, b, c, d);
  return decode_cpu_id(vendor, a);
}

std::string describe(const CpuId& cpu) {
  const std::string_view vendor = cpu.vendor == CpuVendor::Intel ? "Intel"
                                  : cpu.vendor == CpuVendor::Amd ? "AMD"
                                                                 : "other vendor's";
  return fmt::format("{} family {:#x} model {:#x} stepping {}", vendor, cpu.family, cpu.model, cpu.stepping);
}

std::vector<PmuEvent> pmu_events(const CpuId& cpu) {
  std::vector<PmuEvent> found;
  for (const PmuTableRow& row : kTable) {
    if (row.vendor == cpu.vendor && row.family == cpu.family && row.first_model <= cpu.model &&
        cpu.model <= row.last_model)
      found.push_back(row.event);
  }
  std::ranges::stable_sort(found, {}, &PmuEvent::core);
  return found;
}

std::span<const PmuTableRow> pmu_table() { return kTable; }

}  // namespace tmrec::sched
