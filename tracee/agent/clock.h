// The clock, read by the vDSO's own functions. Freestanding; included by calls.cc alone.
//
// Programs read the clock a hundred thousand times a second because it takes them 20 ns; the system call takes ten
// times that. In the program's vDSO the functions lead to the agent, which has a copy of the vDSO that works
// (recorder/clock.cc) where rdtsc does not trap.
#pragma once

#include "tracee/agent/buffered.h"
#include "tracee/agent/special.h"

namespace tmrec::agent {
namespace {

struct TimeOfClock {
  std::uint64_t seconds, fraction;  // struct timespec, struct timeval
};

// REALTIME, MONOTONIC, MONOTONIC_RAW, both COARSE, BOOTTIME, TAI (clock_gettime(2)).
constexpr bool is_in_vdso(std::uint64_t clock) { return clock < 64 && (std::uint64_t{0x8f3} >> clock & 1) != 0; }

// The function makes the system call itself when the kernel's clock is none that it can read.
template <class... Args>
std::int64_t call_vdso(Area& area, std::uint64_t function, Args... args) {
  volatile std::uint8_t& dispatch = area.conduct.dispatch;
  dispatch = 0;
  const auto ret = reinterpret_cast<std::int64_t (*)(Args...)>(function)(args...);
  dispatch = 1;
  return ret;
}

// kDone, or kAskCall: nothing has been done.
inline std::uint64_t read_clock(Area& area) {
  SavedRegs& regs = area.call;
  const auto& clocks = *reinterpret_cast<const Clocks*>(kClocks);
  const bool of_day = regs.rax == number::kGettimeofday;
  const std::uint64_t function = of_day ? clocks.gettimeofday : clocks.clock_gettime;
  const std::uint64_t to = of_day ? regs.rdi : regs.rsi;
  if ((area.conduct.specials & kPerformsTsc) == 0 || function == 0 || to == 0) return kAskCall;
  if (of_day ? regs.rsi != 0 : !is_in_vdso(regs.rdi)) return kAskCall;
  Recorder recorder(area);
  if (recorder.overflowed() || !recorder.has_room(sizeof(CallExtent) + sizeof(TimeOfClock) + 8)) return kAskCall;
  TimeOfClock now;
  const std::int64_t failed = of_day ? call_vdso(area, function, &now, nullptr)
                                     : call_vdso(area, function, static_cast<std::int64_t>(regs.rdi), &now);
  if (failed != 0 || tmrec_agent_copy(reinterpret_cast<void*>(to), &now, sizeof now) != 0) return kAskCall;
  recorder.output(to, sizeof now);
  recorder.commit(area, 0);
  regs.rax = 0;
  return kDone;
}

}  // namespace
}  // namespace tmrec::agent
