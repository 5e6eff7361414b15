#include <doctest/doctest.h>

#include <set>
#include <tuple>

#include "sched/pmu_events.h"

using namespace tmrec::sched;

namespace {

// By the signature that CPUID leaf 1 returns on the machine named.
std::vector<PmuEvent> of(CpuVendor vendor, std::uint32_t signature) {
  return pmu_events(decode_cpu_id(vendor, signature));
}

}  // namespace

TEST_CASE("a CPUID signature is taken apart as the manuals say") {
  CHECK(decode_cpu_id(CpuVendor::Intel, 0x000806c1) == CpuId{CpuVendor::Intel, 6, 0x8c, 1});  // i7-1185G7
  CHECK(decode_cpu_id(CpuVendor::Intel, 0x000206d7) == CpuId{CpuVendor::Intel, 6, 0x2d, 7});
  CHECK(decode_cpu_id(CpuVendor::Amd, 0x00800f82) == CpuId{CpuVendor::Amd, 0x17, 0x08, 2});   // Ryzen 7 2700
  CHECK(decode_cpu_id(CpuVendor::Amd, 0x00b00f21) == CpuId{CpuVendor::Amd, 0x1a, 0x02, 1});   // EPYC 9005
  CHECK(decode_cpu_id(CpuVendor::Intel, 0x00300f10) == CpuId{CpuVendor::Intel, 0x12, 1, 0});  // Nova Lake
}

TEST_CASE("known machines get the event that their vendor documents") {
  struct Sample {
    CpuVendor vendor;
    std::uint32_t signature;
    std::uint64_t config;
  };
  for (const Sample& sample : {
           Sample{CpuVendor::Intel, 0x206a7, 0x01c4},   // i7-2600, Sandy Bridge
           Sample{CpuVendor::Intel, 0x306c3, 0x01c4},   // i7-4770, Haswell
           Sample{CpuVendor::Intel, 0x50657, 0x01c4},   // Xeon Gold 6248, Cascade Lake
           Sample{CpuVendor::Intel, 0x606a6, 0x11c4},   // Xeon Platinum 8380, Ice Lake
           Sample{CpuVendor::Intel, 0x806c1, 0x11c4},   // i7-1185G7, Tiger Lake
           Sample{CpuVendor::Intel, 0x806f8, 0x11c4},   // Xeon Platinum 8480, Sapphire Rapids
           Sample{CpuVendor::Intel, 0xa06d1, 0x11c4},   // Xeon 6980P, Granite Rapids
           Sample{CpuVendor::Intel, 0xa06f3, 0x7ec4},   // Xeon 6780E, Sierra Forest
           Sample{CpuVendor::Amd, 0x00800f11, 0x00d1},  // Ryzen 7 1700, Zen
           Sample{CpuVendor::Amd, 0x00830f10, 0x00d1},  // EPYC 7702, Zen 2
           Sample{CpuVendor::Amd, 0x00a00f11, 0x00d1},  // EPYC 7763, Zen 3
           Sample{CpuVendor::Amd, 0x00a10f11, 0x00d1},  // EPYC 9654, Zen 4
           Sample{CpuVendor::Amd, 0x00b00f21, 0x00d1},  // EPYC 9755, Zen 5
       }) {
    CAPTURE(sample.signature);
    const auto events = of(sample.vendor, sample.signature);
    REQUIRE(events.size() == 1);
    CHECK(events[0].config == sample.config);
    CHECK(events[0].core == CoreKind::Only);
  }
}

TEST_CASE("hybrid CPUs have an event for each kind of core, performance cores first") {
  for (auto [signature, big, small] : {
           std::tuple{0x90672u, 0x11c4ull, 0x7ec4ull},         // i9-12900K, Alder Lake
           std::tuple{0xb06d1u, 0x100000011c4ull, 0x7ec4ull},  // Core Ultra 7 258V, Lunar Lake
           std::tuple{0xc0662u, 0x100000011c4ull, 0x7ec4ull},  // Core Ultra 9 285K, Arrow Lake
           std::tuple{0xc06c0u, 0x07c4ull, 0x07c4ull},         // Panther Lake
       }) {
    CAPTURE(signature);
    const auto events = of(CpuVendor::Intel, signature);
    REQUIRE(events.size() == 2);
    CHECK(events[0].core == CoreKind::Performance);
    CHECK(events[0].config == big);
    CHECK(events[1].core == CoreKind::Efficient);
    CHECK(events[1].config == small);
    CHECK(events[1].skid_bound >= events[0].skid_bound);
  }
}

TEST_CASE("an unknown CPU gets no event") {
  CHECK(of(CpuVendor::Intel, 0x00300f10).empty());  // Nova Lake
  CHECK(of(CpuVendor::Intel, 0x000006f6).empty());  // Merom: its event counts mispredictions only
  CHECK(of(CpuVendor::Amd, 0x00600f20).empty());    // Piledriver has no event for conditional branches
  CHECK(of(CpuVendor::Amd, 0x00b50f00).empty());    // family 1Ah model 50h: after Zen 5
  CHECK(of(CpuVendor::Other, 0x000806c1).empty());
}

TEST_CASE("the table is sane") {
  std::set<std::tuple<CpuVendor, std::uint32_t, std::uint32_t, CoreKind>> seen;
  for (const PmuTableRow& row : pmu_table()) {
    CAPTURE(row.event.name);
    CAPTURE(row.first_model);
    CHECK(row.first_model <= row.last_model);
    CHECK(row.last_model <= 0xff);
    CHECK((row.event.config & 0xff) == (row.vendor == CpuVendor::Intel ? 0xc4 : 0xd1));
    CHECK(row.event.skid_bound >= 100);
    CHECK(row.event.skid_bound <= 10'000);
    CHECK(((row.event.quirks & kSpecLockMap) != 0) == (row.vendor == CpuVendor::Amd));
    CHECK(row.event.name.starts_with(row.vendor == CpuVendor::Intel ? "intel-" : "amd-"));
    for (std::uint32_t model = row.first_model; model <= row.last_model; ++model)
      CHECK(seen.insert({row.vendor, row.family, model, row.event.core}).second);
  }
  // A model is hybrid or it is not.
  for (const auto& [vendor, family, model, core] : seen) {
    const bool only = core == CoreKind::Only;
    CHECK(seen.contains({vendor, family, model, CoreKind::Performance}) == !only);
    CHECK(seen.contains({vendor, family, model, CoreKind::Efficient}) == !only);
  }
}

TEST_CASE("the CPU of this machine is identified") {
  const CpuId cpu = current_cpu_id();
  CHECK(cpu.family >= 6);
  CHECK(describe(cpu).find("family 0x") != std::string::npos);
}
