#include "format/cpu_info.h"

#include <cpuid.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <sstream>

namespace tmrec {

namespace {

struct Cpuid {
  Cpuid(std::uint32_t leaf, std::uint32_t subleaf) { found = __get_cpuid_count(leaf, subleaf, &a, &b, &c, &d) != 0; }
  std::uint32_t a = 0, b = 0, c = 0, d = 0;
  bool found = false;
};

std::uint64_t read_xcr0() {
  std::uint32_t low = 0, high = 0;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return std::uint64_t{high} << 32 | low;
}

void read_xsave_layout(CpuInfo& cpu) {
  constexpr std::uint32_t kOsxsave = 1u << 27;  // leaf 1, ecx: XGETBV may be used
  if ((Cpuid(1, 0).c & kOsxsave) == 0) return;
  cpu.xcr0 = read_xcr0();
  cpu.xsave_size = Cpuid(0xd, 0).b;
  for (std::uint32_t i = 2; i < 63; ++i) {
    if ((cpu.xcr0 >> i & 1) == 0) continue;
    const Cpuid component(0xd, i);
    if (component.a != 0) cpu.xsave.push_back({i, component.b, component.a});
  }
}

void read_cpuinfo(CpuInfo& cpu) {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line) && !line.empty();) {  // the first processor's paragraph
    const auto colon = line.find(": ");
    if (colon == std::string::npos) continue;
    const std::string value = line.substr(colon + 2);
    if (line.starts_with("model name")) cpu.model = value;
    if (!line.starts_with("flags")) continue;
    std::istringstream words(value);
    for (std::string word; words >> word;) cpu.features.push_back(word);
  }
  std::ranges::sort(cpu.features);
}

}  // namespace

CpuInfo current_cpu() {
  CpuInfo cpu;
  const Cpuid id(0, 0);
  char vendor[12];
  std::memcpy(vendor, &id.b, 4);
  std::memcpy(vendor + 4, &id.d, 4);
  std::memcpy(vendor + 8, &id.c, 4);
  if (id.found) cpu.vendor.assign(vendor, sizeof vendor);
  read_xsave_layout(cpu);
  read_cpuinfo(cpu);
  return cpu;
}

}  // namespace tmrec
