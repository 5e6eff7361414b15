#include "cli/trace_facts.h"

#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "cli/trace_place.h"
#include "sched/tick_sources.h"

namespace tmrec::cli {
namespace fs = std::filesystem;
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

bool plain_word(const std::string& word) {
  constexpr std::string_view kPlain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+-/=:,@%^";
  return !word.empty() && word.find_first_not_of(kPlain) == std::string::npos;
}

// Shell quoting that also keeps control characters off the terminal.
std::string quoted(const std::string& word) {
  if (plain_word(word)) return word;
  const bool control = std::ranges::any_of(word, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  std::string out = control ? "$'" : "'";
  for (const char c : word) {
    if (const auto byte = static_cast<unsigned char>(c); byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else if (c == '\'') {
      out += control ? "\\'" : "'\\''";
    } else if (c == '\\' && control) {
      out += "\\\\";
    } else {
      out += c;
    }
  }
  return out + "'";
}

}  // namespace

std::string state_of(const Manifest& manifest, const fs::path& trace) {
  if (manifest.complete) return manifest.end_reason.empty() ? "ok" : "ended early";
  return being_recorded(trace) ? "recording" : "broken off";
}

std::uint64_t size_of(const fs::path& trace) {
  std::uint64_t bytes = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator entry(trace, error), end; !error && entry != end; entry.increment(error)) {
    std::error_code ignored;
    if (entry->is_regular_file(ignored) && !entry->is_symlink(ignored)) bytes += entry->file_size(ignored);
  }
  return bytes;
}

std::string shown_command(const std::vector<std::string>& command) {
  std::string out;
  for (const std::string& word : command) {
    if (!out.empty()) out += ' ';
    out += quoted(word);
  }
  return out;
}

std::string shown_time(std::int64_t seconds) {
  const auto time = static_cast<time_t>(seconds);
  tm parts{};
  if (::localtime_r(&time, &parts) == nullptr) return "?";
  std::array<char, 32> text{};
  ::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &parts);
  return text.data();
}

std::vector<std::string> doubts_here(const Manifest& manifest) {
  std::vector<std::string> doubts;
  const CpuInfo here = current_cpu();
  std::string lacking;
  for (const std::string_view name : kInstructionSets) {
    const auto has = [&](const CpuInfo& cpu) { return std::ranges::find(cpu.features, name) != cpu.features.end(); };
    if (has(manifest.cpu) && !has(here)) lacking += fmt::format("{}{}", lacking.empty() ? "" : ", ", name);
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
  if (const auto ticks = sched::source_named(manifest.tick_source); !ticks) doubts.push_back(ticks.error().text);
  return doubts;
}

}  // namespace tmrec::cli
