#include "cli/machine_needs.h"

#include <doctest/doctest.h>

namespace tmrec::cli {

TEST_CASE("a trace of this machine raises no doubts here") {
  Manifest manifest;
  manifest.cpu = current_cpu();
  CHECK(doubts_here(manifest).empty());
}

TEST_CASE("instructions, register state and vendor that are missing here are doubts") {
  Manifest manifest;
  manifest.cpu = current_cpu();
  manifest.cpu.features.push_back("xop");
  manifest.cpu.features.push_back("fma4");
  manifest.cpu.features.push_back("tbm");  // no CPU made has these and amx_tile
  manifest.cpu.features.push_back("amx_tile");
  manifest.cpu.xcr0 |= 1ull << 62;
  manifest.cpu.vendor = "Elsewhere";
  const std::vector<std::string> doubts = doubts_here(manifest);
  REQUIRE(doubts.size() == 3);
  CHECK(doubts[0].find("lacks instructions") != std::string::npos);
  CHECK(doubts[1].find("XCR0") != std::string::npos);
  CHECK(doubts[2].find("Elsewhere") != std::string::npos);
}

TEST_CASE("kernels are compared by number") {
  for (const char* release : {"5.11.0", "5.100", "6.1.0-18-amd64", "10.0", "none"}) CHECK(recent_enough(release));
  for (const char* release : {"5.10.0-28-amd64", "4.18.0", "2.6.32"}) CHECK_FALSE(recent_enough(release));
}

TEST_CASE("the level of a CPU is the highest of which it has everything") {
  CpuInfo cpu;
  CHECK(needs_of(cpu).level == "x86-64");
  cpu.features = {"cx16", "fpu", "lahf_lm", "pni", "popcnt", "sse4_1", "sse4_2", "ssse3"};
  CHECK(needs_of(cpu).level == "x86-64-v2");
  CHECK(needs_of(cpu).beyond.empty());
  for (const char* name : {"abm", "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe", "erms"})
    cpu.features.push_back(name);
  CHECK(needs_of(cpu).level == "x86-64-v2");  // xsave is missing
  CHECK(needs_of(cpu).beyond.size() == 8);
  cpu.features.push_back("xsave");
  cpu.features.push_back("sha_ni");
  cpu.xcr0 = 7;
  const MachineNeeds needs = needs_of(cpu);
  CHECK(needs.level == "x86-64-v3");
  CHECK(needs.beyond == std::vector<std::string>{"sha_ni"});
  CHECK(needs.xcr0 == 7);
}

}  // namespace tmrec::cli
