// Instructions whose result is recorded, performed in place. Freestanding; included by calls.cc alone.
//
// A program that times itself executes rdtsc as often as others read the clock, and every program that starts asks
// cpuid some fifty times. A stop for each costs a hundred times the instruction. What has another form than these, or
// may fault, is the supervisor's.
#pragma once

#include "tracee/agent/writing.h"

namespace tmrec::agent {
namespace {

// What tmrec_agent_perform() answers; entry.S.
constexpr std::uint64_t kAskCall = 0, kDone = 1, kDoneSpecial = 2, kAskSpecial = 3;

constexpr std::uint16_t kSyscallBytes = 0x050f;

// Intel SDM volume 2.
enum class Special { None, Rdtsc, Rdtscp, Cpuid, Xgetbv };

inline Special special_at(std::uint64_t rip) {
  const auto* code = reinterpret_cast<const std::uint8_t*>(rip);
  if (code[0] != 0x0f) return Special::None;
  if (code[1] == 0x31) return Special::Rdtsc;
  if (code[1] == 0xa2) return Special::Cpuid;
  if (code[1] != 0x01) return Special::None;
  return code[2] == 0xf9 ? Special::Rdtscp : code[2] == 0xd0 ? Special::Xgetbv : Special::None;
}

// Of cpuid: what it says is limited for every program (recorder/cpu_baseline.h).
constexpr std::uint32_t kLimitedLeaf = 7;

// Results as the CPU gives them: it clears the upper halves.
struct Results {
  std::uint32_t a, b, c, d;
};

inline std::uint64_t perform_special(Area& area) {
  SavedRegs& regs = area.call;
  if (area.conduct.buffers != kPerforms || area.conduct.ask != 0) return kAskSpecial;
  const Special special = special_at(regs.rip);
  if (special == Special::Cpuid && static_cast<std::uint32_t>(regs.rax) == kLimitedLeaf) return kAskSpecial;
  const bool counts_time = special == Special::Rdtsc || special == Special::Rdtscp;
  if (special == Special::None || (area.conduct.specials & (counts_time ? kPerformsTsc : kPerformsCpuid)) == 0)
    return kAskSpecial;
  Recorder recorder(area);
  if (recorder.overflowed() || !recorder.has_room(sizeof(CallExtent) + sizeof(SpecialWords) + 8)) return kAskSpecial;
  const auto known = [&](std::uint32_t at) { return reinterpret_cast<const std::uint64_t*>(area.known + at); };
  SpecialWords words{*known(patch::TaskArea::kBlock),
                     static_cast<std::uint32_t>(*known(patch::TaskArea::kStop)),
                     regs.rcx,
                     regs.r11,
                     regs.rax,
                     regs.rbx,
                     regs.rcx,
                     regs.rdx,
                     regs.rip + 2};
  Results now{};
  switch (special) {
    case Special::Rdtsc:
      asm volatile("rdtsc" : "=a"(now.a), "=d"(now.d));
      break;
    case Special::Rdtscp:
      asm volatile("rdtscp" : "=a"(now.a), "=c"(now.c), "=d"(now.d));
      words.after_rcx = now.c;
      break;
    case Special::Cpuid:
      asm volatile("cpuid"
                   : "=a"(now.a), "=b"(now.b), "=c"(now.c), "=d"(now.d)
                   : "a"(static_cast<std::uint32_t>(regs.rax)), "c"(static_cast<std::uint32_t>(regs.rcx)));
      words.after_rbx = now.b;
      words.after_rcx = now.c;
      break;
    case Special::Xgetbv:
      if (static_cast<std::uint32_t>(regs.rcx) != 0) return kAskSpecial;
      asm volatile("xgetbv" : "=a"(now.a), "=d"(now.d) : "c"(0));
      break;
    case Special::None:
      return kAskSpecial;
  }
  words.after_rax = now.a;
  words.after_rdx = now.d;
  if (special == Special::Rdtscp || special == Special::Xgetbv) ++words.after_rip;
  recorder.input(reinterpret_cast<std::uint64_t>(&words), sizeof words);
  recorder.commit(area, 0, RecordKind::Special);
  regs.rax = words.after_rax;
  regs.rbx = words.after_rbx;
  regs.rcx = words.after_rcx;
  regs.rdx = words.after_rdx;
  regs.rip = words.after_rip;
  return kDoneSpecial;
}

}  // namespace
}  // namespace tmrec::agent
