#include "tracee/patch/block.h"

#include <algorithm>

#include "format/types.h"

namespace tmrec::patch {

namespace {

// Intel SDM volume 2, table A-2: invalid in 64-bit mode, or #GP at CPL 3 with IOPL 0 (in, out, cli, sti, hlt).
constexpr std::uint8_t kTrapping[] = {0x06, 0x07, 0x0e, 0x16, 0x17, 0x1e, 0x1f, 0x27, 0x2f, 0x37, 0x3f, 0x60,
                                      0x61, 0x6c, 0x6d, 0x6e, 0x6f, 0x82, 0x9a, 0xcc, 0xce, 0xd4, 0xd5, 0xd6,
                                      0xe4, 0xe5, 0xe6, 0xe7, 0xea, 0xec, 0xed, 0xee, 0xef, 0xf4, 0xfa, 0xfb};

constexpr std::array<bool, 256> kIsTrapping = [] {
  std::array<bool, 256> table{};
  for (auto b : kTrapping) table[b] = true;
  return table;
}();

// Free pieces below this size are forgotten, so that searches stay short.
constexpr std::int64_t kSmallestPiece = 24;

// Distances [low, high), top bytes all trapping, and where in them to start. In the order of Reach.
struct Distances {
  std::uint32_t low, high, start;
};
constexpr std::array<Distances, kReaches> kDistances{{
    {0xfa000000, 0xfc000000, 0xfa000000},
    {0xec000000, 0xf0000000, 0xec000000},
    {0x60000000, 0x62000000, 0x60000000},
    {0xfa000000, 0xfc000000, 0xfb000000},
    {0xec000000, 0xf0000000, 0xed000000},
    {0xec000000, 0xf0000000, 0xee000000},
    {0xec000000, 0xf0000000, 0xef000000},
    {0xe4000000, 0xe8000000, 0xe4000000},
    {0xe4000000, 0xe8000000, 0xe5000000},
    {0xe4000000, 0xe8000000, 0xe6000000},
    {0xe4000000, 0xe8000000, 0xe7000000},
    {0x60000000, 0x62000000, 0x61000000},
    {0x6c000000, 0x70000000, 0x6c000000},
    {0x6c000000, 0x70000000, 0x6d000000},
}};

// The lowest distance not below `distance` whose bytes trap where the mask says, unless byte 3 would have to change.
std::optional<std::int64_t> next_trapping(std::int64_t distance, const RelMask& mask) {
  auto value = static_cast<std::uint32_t>(distance);
  std::uint32_t top = value >> 24;
  for (int byte = 2; byte >= 0;) {
    if (!mask[static_cast<std::size_t>(byte)] || kIsTrapping[value >> (8 * byte) & 0xff]) {
      --byte;
      continue;
    }
    std::uint64_t up = ((std::uint64_t{value} >> (8 * byte)) + 1) << (8 * byte);
    value = static_cast<std::uint32_t>(up);
    byte = 2;
  }
  if (value >> 24 != top && !kIsTrapping[value >> 24]) return std::nullopt;
  return static_cast<std::int32_t>(value);
}

}  // namespace

bool is_trapping(std::uint8_t byte) { return kIsTrapping[byte]; }

Result<BlockSpace> BlockSpace::make(Va text_begin, Va text_end, Reach reach) {
  const auto [low32, high32, preferred_top] = kDistances[static_cast<std::size_t>(reach)];
  const std::int64_t low = static_cast<std::int32_t>(low32), high = static_cast<std::int32_t>(high32);
  auto begin = static_cast<std::int64_t>(text_begin), end = static_cast<std::int64_t>(text_end);
  std::int64_t first = end + low, last = begin + high;
  // Start where the distance's third byte is in e4..ef for most of a text of a megabyte, so that windows find room
  // close together. As far from the begin of every text: blocks are shorter than texts, so that they don't meet either.
  const std::int64_t preferred = begin + static_cast<std::int32_t>(preferred_top) + 0xee0000;
  first = std::int64_t(
      page_up(static_cast<std::uint64_t>(first <= preferred && preferred < last - 0x400000 ? preferred : first)));
  last = std::int64_t(page_down(static_cast<std::uint64_t>(last)));
  if (last - first < 0x100000) return fail(ErrorKind::System, "text too large for its trampolines");
  return BlockSpace(first, last);
}

void BlockSpace::occupy(std::int64_t at, std::uint32_t size) {
  auto piece = std::prev(free_.upper_bound(at));
  auto [begin, end] = *piece;
  free_.erase(piece);
  if (at - begin >= kSmallestPiece) free_.emplace(begin, at);
  if (end - (at + size) >= kSmallestPiece) free_.emplace(at + size, end);
  used_end_ = std::max(used_end_, at + std::int64_t{size});
}

std::optional<std::int64_t> BlockSpace::take(std::uint32_t size, std::uint32_t align) {
  for (auto piece = free_.lower_bound(tried_); piece != free_.end(); ++piece) {
    std::int64_t at = (piece->first + align - 1) & -std::int64_t{align};
    if (at + size > piece->second) continue;
    tried_ = piece->first;
    occupy(at, size);
    return at;
  }
  return std::nullopt;
}

std::optional<std::int64_t> BlockSpace::take_for(std::uint32_t size, std::int64_t from, const RelMask& mask) {
  for (auto piece = free_.begin(); piece != free_.end();) {
    std::int64_t at = piece->first;
    auto distance = next_trapping(at - from, mask);
    if (!distance) return std::nullopt;
    at = from + *distance;
    if (at + size <= piece->second) {
      occupy(at, size);
      return at;
    }
    // The next address that would do may lie several pieces further on.
    auto next = at >= piece->second ? free_.upper_bound(at) : std::next(piece);
    if (at >= piece->second && next != free_.begin() && std::prev(next)->second > at) {
      --next;
      if (at + size <= next->second) {
        occupy(at, size);
        return at;
      }
      ++next;
    }
    piece = next;
  }
  return std::nullopt;
}

}  // namespace tmrec::patch
