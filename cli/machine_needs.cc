#include "cli/machine_needs.h"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <span>
#include <string_view>

#include "sched/tick_sources.h"

namespace tmrec::cli {
namespace {

// Flags of /proc/cpuinfo that stand for instructions a program may have chosen because the recording CPU had them.
// Others (erms, constant_tsc, ...) describe speed or the kernel's business and do not matter.
constexpr std::array<std::string_view, 52> kInstructionSets{
    "abm",           "adx",         "aes",          "amx_bf16",    "amx_fp16",
    "amx_int8",      "amx_tile",    "avx",          "avx2",        "avx512_bf16",
    "avx512_bitalg", "avx512_fp16", "avx512_vbmi2", "avx512_vnni", "avx512_vpopcntdq",
    "avx512bw",      "avx512cd",    "avx512dq",     "avx512f",     "avx512ifma",
    "avx512vbmi",    "avx512vl",    "avx_vnni",     "bmi1",        "bmi2",
    "cldemote",      "clflushopt",  "clwb",         "clzero",      "f16c",
    "fma",           "fma4",        "fsgsbase",     "gfni",        "movbe",
    "movdir64b",     "movdiri",     "pclmulqdq",    "pku",         "popcnt",
    "rdpid",         "rdrand",      "rdseed",       "sha_ni",      "sse4_1",
    "sse4_2",        "sse4a",       "ssse3",        "tbm",         "vaes",
    "vpclmulqdq",    "xop"};

// What each level adds to the one before (x86-64 psABI, table 3.1), in the words of /proc/cpuinfo.
constexpr std::array<std::string_view, 7> kLevel2{"cx16", "lahf_lm", "popcnt", "pni", "sse4_1", "sse4_2", "ssse3"};
constexpr std::array<std::string_view, 9> kLevel3{"abm",  "avx", "avx2",  "bmi1", "bmi2",
                                                  "f16c", "fma", "movbe", "xsave"};
constexpr std::array<std::string_view, 5> kLevel4{"avx512bw", "avx512cd", "avx512dq", "avx512f", "avx512vl"};
constexpr std::array<std::span<const std::string_view>, 3> kLevels{kLevel2, kLevel3, kLevel4};

bool has(const CpuInfo& cpu, std::string_view name) {
  return std::ranges::find(cpu.features, name) != cpu.features.end();
}

}  // namespace

bool is_instruction_set(const std::string& flag) {
  return std::ranges::find(kInstructionSets, flag) != kInstructionSets.end();
}

MachineNeeds needs_of(const CpuInfo& cpu) {
  MachineNeeds needs{"x86-64", {}, cpu.xcr0};
  std::size_t reached = 0;
  while (reached < kLevels.size() &&
         std::ranges::all_of(kLevels[reached], [&](std::string_view name) { return has(cpu, name); })) {
    ++reached;
  }
  if (reached != 0) needs.level += fmt::format("-v{}", reached + 1);
  for (const std::string& name : cpu.features) {
    const bool in_level = std::ranges::any_of(std::span(kLevels).first(reached), [&](const auto& level) {
      return std::ranges::find(level, name) != level.end();
    });
    if (is_instruction_set(name) && !in_level) needs.beyond.push_back(name);
  }
  return needs;
}

bool recent_enough(const std::string& release) {
  unsigned major = 0, minor = 0;
  if (std::sscanf(release.c_str(), "%u.%u", &major, &minor) != 2) return true;
  return major > kOldestLinuxMajor || (major == kOldestLinuxMajor && minor >= kOldestLinuxMinor);
}

std::vector<std::string> doubts_here(const Manifest& manifest) {
  std::vector<std::string> doubts;
  const CpuInfo here = current_cpu();
  utsname names{};
  if (::uname(&names) == 0 && !recent_enough(names.release)) {
    doubts.push_back(fmt::format("replaying needs Linux {}.{} or later, and this is {}", kOldestLinuxMajor,
                                 kOldestLinuxMinor, names.release));
  }
  std::string lacking;
  for (const std::string_view name : kInstructionSets) {
    if (has(manifest.cpu, name) && !has(here, name)) lacking += fmt::format("{}{}", lacking.empty() ? "" : ", ", name);
  }
  if (!lacking.empty()) doubts.push_back("this CPU lacks instructions that the program may have chosen: " + lacking);
  if ((manifest.cpu.xcr0 & ~here.xcr0) != 0) {
    doubts.push_back(fmt::format(
        "this kernel and CPU do not keep all register state of the recording (XCR0 {:#x} there, {:#x} here)",
        manifest.cpu.xcr0, here.xcr0));
  }
  if (manifest.cpu.vendor != here.vendor) {
    doubts.push_back(
        fmt::format("recorded on {}, this is {}: approximate instructions (rcpps, rsqrtps, x87) may round differently",
                    manifest.cpu.vendor, here.vendor));
  }
  return doubts;
}

std::vector<std::string> complaints_here(const Manifest& manifest) {
  std::vector<std::string> complaints = doubts_here(manifest);
  if (const auto ticks = sched::source_named(manifest.tick_source); !ticks) complaints.push_back(ticks.error().text);
  return complaints;
}

}  // namespace tmrec::cli
