#include "recorder/cpu_baseline.h"

#include <algorithm>
#include <array>

namespace tmrec::recorder {

// Bits that stay: Intel SDM volume 2 (CPUID) and AMD APM volume 3, appendix E; levels of the x86-64 psABI, table 3.1.
struct CpuBaseline::Model {
  std::string_view name;
  std::uint32_t leaf1_ecx, leaf7_ebx, leaf7_ecx, xsave_forms, extended_ecx, extended8_ebx;
  std::uint64_t xcr0;
};

namespace {

using Model = CpuBaseline::Model;

template <class... Bits>
constexpr std::uint32_t bits(Bits... numbers) {
  return ((1u << numbers) | ... | 0u);
}

// Leaf 1, ecx: sse3, ssse3, cx16, sse4.1, sse4.2, popcnt, and that there is a hypervisor.
constexpr std::uint32_t kLevel2 = bits(0, 9, 13, 19, 20, 23, 31);
// fma, movbe, xsave, osxsave, avx, f16c.
constexpr std::uint32_t kLevel3 = kLevel2 | bits(12, 22, 26, 27, 28, 29);
// pclmulqdq, aes, rdrand.
constexpr std::uint32_t kHaswell = kLevel3 | bits(1, 25, 30);
// Leaf 7, ebx: erms, which says how fast something is; bmi1, avx2, bmi2.
constexpr std::uint32_t kQuick = bits(9);
constexpr std::uint32_t kLevel3Leaf7 = kQuick | bits(3, 5, 8);
constexpr std::uint32_t kSkylakeLeaf7 = kLevel3Leaf7 | bits(0, 18, 19, 23);  // fsgsbase, rdseed, adx, clflushopt
constexpr std::uint32_t kLahf = bits(0), kLzcnt = bits(5), kSse4a = bits(6);
constexpr std::uint64_t kX87Sse = 3, kAvx = 7;

constexpr std::array kModels{
    Model{"x86-64-v2", kLevel2, kQuick, 0, 0, kLahf, 0, kX87Sse},
    Model{"x86-64-v3", kLevel3, kLevel3Leaf7, 0, 0, kLahf | kLzcnt, 0, kAvx},
    Model{"haswell", kHaswell, kLevel3Leaf7 | bits(0), 0, bits(0), kLahf | kLzcnt, 0, kAvx},
    Model{"skylake", kHaswell, kSkylakeLeaf7, 0, bits(0, 1, 2), kLahf | kLzcnt, 0, kAvx},
    Model{"zen2", kHaswell, kSkylakeLeaf7 | bits(24, 29), bits(22), bits(0, 1, 2), kLahf | kLzcnt | kSse4a, bits(0),
          kAvx},
};

// Flags of /proc/cpuinfo that say which instructions there are, and the bit that does.
struct Flag {
  std::string_view name;
  std::uint32_t Model::*field;
  unsigned bit;
};
constexpr std::array kFlags{
    Flag{"pni", &Model::leaf1_ecx, 0},         Flag{"pclmulqdq", &Model::leaf1_ecx, 1},
    Flag{"ssse3", &Model::leaf1_ecx, 9},       Flag{"fma", &Model::leaf1_ecx, 12},
    Flag{"cx16", &Model::leaf1_ecx, 13},       Flag{"sse4_1", &Model::leaf1_ecx, 19},
    Flag{"sse4_2", &Model::leaf1_ecx, 20},     Flag{"movbe", &Model::leaf1_ecx, 22},
    Flag{"popcnt", &Model::leaf1_ecx, 23},     Flag{"aes", &Model::leaf1_ecx, 25},
    Flag{"xsave", &Model::leaf1_ecx, 26},      Flag{"avx", &Model::leaf1_ecx, 28},
    Flag{"f16c", &Model::leaf1_ecx, 29},       Flag{"rdrand", &Model::leaf1_ecx, 30},
    Flag{"fsgsbase", &Model::leaf7_ebx, 0},    Flag{"bmi1", &Model::leaf7_ebx, 3},
    Flag{"avx2", &Model::leaf7_ebx, 5},        Flag{"bmi2", &Model::leaf7_ebx, 8},
    Flag{"rdseed", &Model::leaf7_ebx, 18},     Flag{"adx", &Model::leaf7_ebx, 19},
    Flag{"clflushopt", &Model::leaf7_ebx, 23}, Flag{"clwb", &Model::leaf7_ebx, 24},
    Flag{"sha_ni", &Model::leaf7_ebx, 29},     Flag{"rdpid", &Model::leaf7_ecx, 22},
    Flag{"xsaveopt", &Model::xsave_forms, 0},  Flag{"xsavec", &Model::xsave_forms, 1},
    Flag{"xgetbv1", &Model::xsave_forms, 2},   Flag{"lahf_lm", &Model::extended_ecx, 0},
    Flag{"abm", &Model::extended_ecx, 5},      Flag{"sse4a", &Model::extended_ecx, 6},
    Flag{"clzero", &Model::extended8_ebx, 0},
};
// Of no baseline.
constexpr std::array<std::string_view, 24> kBeyond{
    "amx_bf16",  "amx_fp16", "amx_int8", "amx_tile",  "avx_vnni", "cldemote", "fma4", "gfni",
    "movdir64b", "movdiri",  "ospke",    "pku",       "tbm",      "vaes",     "xop",  "vpclmulqdq",
    "xsaves",    "3dnow",    "3dnowext", "serialize", "waitpkg",  "mmxext",   "hle",  "rtm"};

// Leaves that say nothing but what no baseline has: instructions of their own, or how to use them.
bool is_beyond(std::uint32_t leaf) {
  constexpr std::array<std::uint32_t, 8> kLeaves{0x12, 0x14, 0x19, 0x1d, 0x1e, 0x23, 0x24, 0x8000001c};
  return std::ranges::find(kLeaves, leaf) != kLeaves.end();
}

void keep(std::uint64_t& field, std::uint32_t mask) { field &= mask; }

void limit_xsave(const Model& model, std::uint32_t part, Regs& regs) {
  const bool none = (model.leaf1_ecx & bits(26)) == 0;
  constexpr std::uint32_t kLegacyAndHeader = 576, kAvxSize = 256;
  if (none || part > 2) {
    regs.rax = regs.rbx = regs.rcx = regs.rdx = 0;
  } else if (part == 0) {
    keep(regs.rax, static_cast<std::uint32_t>(model.xcr0));
    regs.rdx = 0;
    regs.rbx = regs.rcx = kLegacyAndHeader + ((regs.rax & 4) != 0 ? kAvxSize : 0);
  } else if (part == 1) {
    keep(regs.rax, model.xsave_forms);
    regs.rbx = (regs.rax & 2) != 0 ? kLegacyAndHeader + kAvxSize : 0;
    regs.rcx = regs.rdx = 0;
  }
}

void limit_cpuid(const Model& model, std::uint32_t leaf, std::uint32_t part, Regs& regs) {
  constexpr std::uint32_t kFsrm = bits(4);
  constexpr std::uint32_t kExtendedEdx = ~bits(22, 25, 30, 31);  // mmxext, ffxsr, 3dnowext, 3dnow
  if (leaf == 1) {
    keep(regs.rcx, model.leaf1_ecx);
  } else if (leaf == 7 && part == 0) {
    regs.rax = 0;
    keep(regs.rbx, model.leaf7_ebx);
    keep(regs.rcx, model.leaf7_ecx);
    keep(regs.rdx, kFsrm);
  } else if (leaf == 7 || is_beyond(leaf)) {
    regs.rax = regs.rbx = regs.rcx = regs.rdx = 0;
  } else if (leaf == 0xd) {
    limit_xsave(model, part, regs);
  } else if (leaf == 0x80000001) {
    keep(regs.rcx, model.extended_ecx);
    keep(regs.rdx, kExtendedEdx);
  } else if (leaf == 0x80000008) {
    keep(regs.rbx, model.extended8_ebx);
  }
}

void limit_native(std::uint32_t leaf, std::uint32_t part, Regs& regs) {
  if (leaf != 7 || part != 0) return;
  keep(regs.rbx, ~bits(4, 11));  // hle, rtm
  keep(regs.rdx, ~bits(11, 13));
}

}  // namespace

std::optional<CpuBaseline> CpuBaseline::named(std::string_view name) {
  if (name == "native") return CpuBaseline();
  const auto found = std::ranges::find(kModels, name, &Model::name);
  if (found == kModels.end()) return std::nullopt;
  return CpuBaseline(&*found);
}

std::string CpuBaseline::names() {
  std::string all = "native";
  for (const Model& model : kModels) all += ", " + std::string(model.name);
  return all;
}

void CpuBaseline::limit(InstructionEvent& event) const {
  using Kind = InstructionEvent::Kind;
  const auto leaf = static_cast<std::uint32_t>(event.before.rax), part = static_cast<std::uint32_t>(event.before.rcx);
  if (event.kind == Kind::Cpuid && is_native()) limit_native(leaf, part, event.after);
  if (event.kind == Kind::Cpuid && !is_native()) limit_cpuid(*model_, leaf, part, event.after);
  if (event.kind == Kind::Xgetbv && !is_native()) {
    keep(event.after.rax, static_cast<std::uint32_t>(model_->xcr0));
    event.after.rdx = 0;
  }
}

std::uint64_t CpuBaseline::limit_hwcap2(std::uint64_t hwcap2) const {
  constexpr std::uint64_t kFsgsbase = 2;  // HWCAP2_FSGSBASE
  return is_native() || (model_->leaf7_ebx & 1) != 0 ? hwcap2 : hwcap2 & ~kFsgsbase;
}

void CpuBaseline::limit(CpuInfo& cpu) const {
  std::erase_if(cpu.features, [this](const std::string& name) {
    if (is_native()) return name == "hle" || name == "rtm";
    if (name.starts_with("avx512") || std::ranges::find(kBeyond, name) != kBeyond.end()) return true;
    const auto flag = std::ranges::find(kFlags, name, &Flag::name);
    return flag != kFlags.end() && (model_->*flag->field >> flag->bit & 1) == 0;
  });
  if (!is_native()) cpu.xcr0 &= model_->xcr0;
}

}  // namespace tmrec::recorder
