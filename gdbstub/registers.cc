#include "gdbstub/registers.h"

#include <cpuid.h>

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

namespace tmrec::gdbstub {

namespace {

constexpr const char* kCore = "org.gnu.gdb.i386.core";
constexpr const char* kSse = "org.gnu.gdb.i386.sse";
constexpr const char* kLinux = "org.gnu.gdb.i386.linux";
constexpr const char* kSegments = "org.gnu.gdb.i386.segments";
constexpr const char* kAvx = "org.gnu.gdb.i386.avx";
constexpr const char* kAvx512 = "org.gnu.gdb.i386.avx512";

// The XSAVE area (Intel SDM volume 1, 13.4): the legacy region of FXSAVE, then the header. The kernel puts the enabled
// components (XCR0) into the bytes that software may use (struct _fpx_sw_bytes at 464, the mask 8 bytes further in).
constexpr std::size_t kFcw = 0, kFsw = 2, kFtw = 4, kFop = 6, kFip = 8, kFdp = 16, kMxcsr = 24, kSt = 32, kXmm = 160;
constexpr std::size_t kComponents = 464 + 8, kInUse = 512, kLegacyEnd = 576;
constexpr std::uint32_t kX87 = 0, kSseState = 1, kYmmHigh = 2, kOpmask = 5, kZmmHigh = 6, kZmm16 = 7;

// Where a component lies in the standard format is this machine's choice (CPUID leaf 0xd).
std::uint32_t component_offset(std::uint32_t component) {
  std::uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid_count(0xd, component, &eax, &ebx, &ecx, &edx) != 0 ? ebx : 0;
}

std::uint64_t word_at(const Bytes& bytes, std::size_t at) {
  std::uint64_t value = 0;
  if (bytes.size() >= at + sizeof value) std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

// The x87 tag word: 2 bits for each physical register, of which the area only tells whether it is empty.
std::uint16_t full_tags(const Bytes& area) {
  const std::uint8_t used = area[kFtw];
  const unsigned top = static_cast<unsigned>(area[kFsw + 1] >> 3) & 7;
  std::uint16_t tags = 0;
  for (unsigned i = 0; i < 8; ++i) {
    unsigned tag = 3;
    if ((used >> i & 1) != 0) {
      const std::uint8_t* st = area.data() + kSt + ((i - top) & 7) * 16;
      const unsigned exponent = (st[8] | st[9] << 8) & 0x7fff;
      const bool normal = (st[7] & 0x80) != 0;
      const bool zero = exponent == 0 && std::all_of(st, st + 8, [](std::uint8_t b) { return b == 0; });
      tag = zero ? 1 : exponent == 0x7fff || exponent == 0 || !normal ? 2 : 0;
    }
    tags = static_cast<std::uint16_t>(tags | tag << (2 * i));
  }
  return tags;
}

constexpr const char* kTypes[][2] = {
    {kCore,
     "<flags id=\"i386_eflags\" size=\"4\"><field name=\"CF\" start=\"0\" end=\"0\"/><field name=\"\" start=\"1\" "
     "end=\"1\"/><field name=\"PF\" start=\"2\" end=\"2\"/><field name=\"AF\" start=\"4\" end=\"4\"/><field "
     "name=\"ZF\" start=\"6\" end=\"6\"/><field name=\"SF\" start=\"7\" end=\"7\"/><field name=\"TF\" start=\"8\" "
     "end=\"8\"/><field name=\"IF\" start=\"9\" end=\"9\"/><field name=\"DF\" start=\"10\" end=\"10\"/><field "
     "name=\"OF\" start=\"11\" end=\"11\"/><field name=\"RF\" start=\"16\" end=\"16\"/></flags>"},
    {kSse,
     "<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/><vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/>"
     "<vector id=\"v16i8\" type=\"int8\" count=\"16\"/><vector id=\"v8i16\" type=\"int16\" count=\"8\"/><vector "
     "id=\"v4i32\" type=\"int32\" count=\"4\"/><vector id=\"v2i64\" type=\"int64\" count=\"2\"/><union id=\"vec128\">"
     "<field name=\"v4_float\" type=\"v4f\"/><field name=\"v2_double\" type=\"v2d\"/><field name=\"v16_int8\" "
     "type=\"v16i8\"/><field name=\"v8_int16\" type=\"v8i16\"/><field name=\"v4_int32\" type=\"v4i32\"/><field "
     "name=\"v2_int64\" type=\"v2i64\"/><field name=\"uint128\" type=\"uint128\"/></union><flags id=\"i386_mxcsr\" "
     "size=\"4\"><field name=\"IE\" start=\"0\" end=\"0\"/><field name=\"DE\" start=\"1\" end=\"1\"/><field "
     "name=\"ZE\" start=\"2\" end=\"2\"/><field name=\"OE\" start=\"3\" end=\"3\"/><field name=\"UE\" start=\"4\" "
     "end=\"4\"/><field name=\"PE\" start=\"5\" end=\"5\"/><field name=\"DAZ\" start=\"6\" end=\"6\"/><field "
     "name=\"FZ\" start=\"15\" end=\"15\"/></flags>"},
    {kAvx512, "<vector id=\"v2ui128\" type=\"uint128\" count=\"2\"/>"},
};

}  // namespace

void RegisterLayout::add(std::string name, const char* type, std::uint32_t size, bool general, std::size_t offset,
                         const char* group, std::uint32_t stored, std::uint32_t component) {
  registers_.push_back({std::move(name), type, group, feature_, size, stored == 0 ? size : stored, general,
                        static_cast<std::uint32_t>(offset), component});
}

void RegisterLayout::add_core() {
  feature_ = kCore;
#define GENERAL(name, type, size) add(#name, type, size, true, offsetof(Regs, name))
  GENERAL(rax, "int64", 8);
  GENERAL(rbx, "int64", 8);
  GENERAL(rcx, "int64", 8);
  GENERAL(rdx, "int64", 8);
  GENERAL(rsi, "int64", 8);
  GENERAL(rdi, "int64", 8);
  GENERAL(rbp, "data_ptr", 8);
  GENERAL(rsp, "data_ptr", 8);
  GENERAL(r8, "int64", 8);
  GENERAL(r9, "int64", 8);
  GENERAL(r10, "int64", 8);
  GENERAL(r11, "int64", 8);
  GENERAL(r12, "int64", 8);
  GENERAL(r13, "int64", 8);
  GENERAL(r14, "int64", 8);
  GENERAL(r15, "int64", 8);
  GENERAL(rip, "code_ptr", 8);
  GENERAL(eflags, "i386_eflags", 4);
  GENERAL(cs, "int32", 4);
  GENERAL(ss, "int32", 4);
  GENERAL(ds, "int32", 4);
  GENERAL(es, "int32", 4);
  GENERAL(fs, "int32", 4);
  GENERAL(gs, "int32", 4);
  for (std::size_t i = 0; i < 8; ++i) add(fmt::format("st{}", i), "i387_ext", 10, false, kSt + 16 * i);
  add("fctrl", "int", 4, false, kFcw, "float", 2);
  add("fstat", "int", 4, false, kFsw, "float", 2);
  add("ftag", "int", 4, false, kFtw, "float", 1);
  add("fiseg", "int", 4, false, kFip + 4, "float", 2);
  add("fioff", "int", 4, false, kFip, "float");
  add("foseg", "int", 4, false, kFdp + 4, "float", 2);
  add("fooff", "int", 4, false, kFdp, "float");
  add("fop", "int", 4, false, kFop, "float", 2);
}

void RegisterLayout::add_vectors(std::uint64_t components) {
  const auto has = [&](std::uint32_t component) { return (components >> component & 1) != 0; };
  feature_ = kSse;
  for (std::size_t i = 0; i < 16; ++i) {
    add(fmt::format("xmm{}", i), "vec128", 16, false, kXmm + 16 * i, nullptr, 0, kSseState);
  }
  add("mxcsr", "i386_mxcsr", 4, false, kMxcsr, "vector", 0, kSseState);
  feature_ = kLinux;
  add("orig_rax", "int", 8, true, offsetof(Regs, orig_rax));
  feature_ = kSegments;
  GENERAL(fs_base, "int", 8);
  GENERAL(gs_base, "int", 8);
#undef GENERAL
  if (!has(kYmmHigh)) return;
  feature_ = kAvx;
  for (std::size_t i = 0; i < 16; ++i) {
    add(fmt::format("ymm{}h", i), "uint128", 16, false, component_offset(kYmmHigh) + 16 * i, nullptr, 0, kYmmHigh);
  }
  if (!has(kOpmask) || !has(kZmmHigh) || !has(kZmm16)) return;
  feature_ = kAvx512;
  const std::size_t zmm16 = component_offset(kZmm16);
  for (std::size_t i = 16; i < 32; ++i) {
    add(fmt::format("xmm{}", i), "vec128", 16, false, zmm16 + 64 * (i - 16), nullptr, 0, kZmm16);
  }
  for (std::size_t i = 16; i < 32; ++i) {
    add(fmt::format("ymm{}h", i), "uint128", 16, false, zmm16 + 64 * (i - 16) + 16, nullptr, 0, kZmm16);
  }
  for (std::size_t i = 0; i < 8; ++i) {
    add(fmt::format("k{}", i), "uint64", 8, false, component_offset(kOpmask) + 8 * i, nullptr, 0, kOpmask);
  }
  for (std::size_t i = 0; i < 32; ++i) {
    const std::size_t at = i < 16 ? component_offset(kZmmHigh) + 32 * i : zmm16 + 64 * (i - 16) + 32;
    add(fmt::format("zmm{}h", i), "v2ui128", 32, false, at, nullptr, 0, i < 16 ? kZmmHigh : kZmm16);
  }
}

RegisterLayout::RegisterLayout(const Bytes& extended) {
  add_core();
  add_vectors(extended.size() > kLegacyEnd ? word_at(extended, kComponents) : 0);
  std::erase_if(registers_, [&](const Register& r) {
    return !r.general && r.feature != kCore && r.feature != kSse && r.offset + r.stored > extended.size();
  });
}

std::string RegisterLayout::description() const {
  std::string xml =
      "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\"><target>"
      "<architecture>i386:x86-64</architecture><osabi>GNU/Linux</osabi>";
  const char* open = nullptr;
  for (const Register& r : registers_) {
    if (r.feature != open) {
      if (open != nullptr) xml += "</feature>";
      open = r.feature;
      xml += fmt::format("<feature name=\"{}\">", open);
      for (const auto& type : kTypes) {
        if (type[0] == open || (open == kAvx512 && type[0] == kSse)) xml += type[1];
      }
    }
    xml += fmt::format("<reg name=\"{}\" bitsize=\"{}\" type=\"{}\"", r.name, r.size * 8, r.type);
    if (r.group != nullptr) xml += fmt::format(" group=\"{}\"", r.group);
    xml += "/>";
  }
  return xml + "</feature></target>";
}

std::string RegisterLayout::get(const RegisterFile& file, std::size_t number) const {
  if (number >= registers_.size()) return {};
  const Register& r = registers_[number];
  std::string value(r.size, '\0');
  if (r.general) {
    std::memcpy(value.data(), reinterpret_cast<const char*>(&file.general) + r.offset, r.size);
    return value;
  }
  if (file.extended.size() < kLegacyEnd || r.offset + r.stored > file.extended.size()) return value;
  if (r.offset == kFtw) {
    const std::uint16_t tags = full_tags(file.extended);
    std::memcpy(value.data(), &tags, sizeof tags);
    return value;
  }
  std::memcpy(value.data(), file.extended.data() + r.offset, r.stored);
  if (r.offset == kFop && r.size == 4) value[1] = static_cast<char>(value[1] & 7);  // 11 bits
  return value;
}

bool RegisterLayout::set(RegisterFile& file, std::size_t number, std::string_view bytes) const {
  if (number >= registers_.size() || bytes.size() != registers_[number].size) return false;
  const Register& r = registers_[number];
  if (r.general) {
    std::uint64_t value = 0;
    std::memcpy(&value, bytes.data(), bytes.size());
    std::memcpy(reinterpret_cast<char*>(&file.general) + r.offset, &value, sizeof value);
    return true;
  }
  if (file.extended.size() < kLegacyEnd || r.offset + r.stored > file.extended.size()) return false;
  if (r.offset == kFtw) {
    std::uint8_t used = 0;
    const unsigned tags =
        static_cast<std::uint8_t>(bytes[0]) | static_cast<unsigned>(static_cast<std::uint8_t>(bytes[1])) << 8;
    for (unsigned i = 0; i < 8; ++i) {
      if ((tags >> (2 * i) & 3) != 3) used = static_cast<std::uint8_t>(used | 1u << i);
    }
    file.extended[kFtw] = used;
  } else {
    std::memcpy(file.extended.data() + r.offset, bytes.data(), r.stored);
  }
  const std::uint64_t in_use = word_at(file.extended, kInUse) | std::uint64_t{1}
                                                                    << (r.feature == kCore ? kX87 : r.component);
  std::memcpy(file.extended.data() + kInUse, &in_use, sizeof in_use);
  return true;
}

std::string RegisterLayout::all(const RegisterFile& file) const {
  std::string values;
  for (std::size_t i = 0; i < registers_.size(); ++i) values += get(file, i);
  return values;
}

bool RegisterLayout::set_all(RegisterFile& file, std::string_view bytes) const {
  for (std::size_t i = 0; i < registers_.size(); ++i) {
    if (bytes.size() < registers_[i].size || !set(file, i, bytes.substr(0, registers_[i].size))) return false;
    bytes.remove_prefix(registers_[i].size);
  }
  return bytes.empty();
}

}  // namespace tmrec::gdbstub
