// What a trace remembers of the CPU it was recorded on, to say before a replay whether this machine can do it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tmrec {

// One state component of the XSAVE area in standard format (Intel SDM volume 1, 13.4; CPUID leaf 0xD). Bytes.
struct XsaveComponent {
  std::uint32_t number = 0;  // bit in XCR0
  std::uint32_t offset = 0;
  std::uint32_t size = 0;
  friend bool operator==(const XsaveComponent&, const XsaveComponent&) = default;
};

struct CpuInfo {
  std::string vendor;                 // CPUID leaf 0, "GenuineIntel"
  std::string model;                  // /proc/cpuinfo, "model name"
  std::vector<std::string> features;  // /proc/cpuinfo, "flags", sorted
  std::uint64_t xcr0 = 0;             // XGETBV(0): the state components the kernel has enabled
  std::uint32_t xsave_size = 0;       // of the standard-format area for xcr0
  std::vector<XsaveComponent> xsave;  // the components from number 2 on; 0 and 1 lie in the first 512 bytes
  friend bool operator==(const CpuInfo&, const CpuInfo&) = default;
};

// Of the machine this runs on. Fields that cannot be found out are empty.
CpuInfo current_cpu();

}  // namespace tmrec
