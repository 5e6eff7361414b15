#include "recorder/plan_choice.h"

#include <array>

#include "tracee/patch/block.h"

namespace tmrec::recorder {

namespace {

using patch::Reach;

constexpr std::uint64_t kLowAddresses = 0x1'0000'0000;  // programs that are not position independent
constexpr std::array kBelow{Reach::Below,     Reach::Below2,  Reach::FarBelow, Reach::FarBelow2, Reach::FarBelow3,
                            Reach::FarBelow4, Reach::Farther, Reach::Farther2, Reach::Farther3,  Reach::Farther4};
constexpr std::array kAbove{Reach::Above, Reach::Above2, Reach::FarAbove, Reach::FarAbove2};

}  // namespace

patch::PlanOptions plan_options(Reach reach, bool syscalls, bool ticks) {
  patch::PlanOptions wanted;
  wanted.reach = reach;
  wanted.syscalls = syscalls;
  wanted.ticks = ticks;
  return wanted;
}

std::span<const Reach> reaches_at(RemoteAddr start) {
  if (start.value < kLowAddresses) return kAbove;
  return kBelow;
}

Reach first_reach(RemoteAddr start, std::uint64_t text_size) {
  const auto reaches = reaches_at(start);
  for (const Reach reach : reaches) {
    if (text_size <= (std::uint64_t{1} << 32) && patch::BlockSpace::make(0, text_size, reach)) return reach;
  }
  return reaches.front();
}

}  // namespace tmrec::recorder
