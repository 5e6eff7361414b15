// Which checkpoints are worth their memory.
//
// Problem: there is room for some dozens, and whoever debugs wants to go anywhere. Solution: the further from where
// somebody is at work, the farther apart, so that their number grows with the logarithm of the run; the last few before
// that place stay, however close they are: the next thing is to go back by a step.
//
// Copies share the memory that the one they were made of has written. A program's start writes most (patched text,
// relocations), so one behind it always stays: what is copied from there on shares that.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace tmrec::replayer {

inline constexpr std::size_t kKeptBefore = 8;
inline constexpr std::uint64_t kTrunkNs = 50'000'000;  // programs have started by then

// `costs`: what it takes to come to each of them, in nanoseconds, in the order of their positions; at least
// kKeptBefore + 4. `here`: the one that is in use. Which one to give up: neither the first nor the last.
std::size_t least_useful(std::span<const std::uint64_t> costs, std::size_t here);

}  // namespace tmrec::replayer
