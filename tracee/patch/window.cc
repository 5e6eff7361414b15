#include "tracee/patch/window.h"

#include <algorithm>

namespace tmrec::patch {

namespace {
constexpr std::size_t kMaxBefore = 3, kMaxAfter = 4;  // instructions beside the site
constexpr std::uint32_t kMaxPadding = 256;
}  // namespace

Windows::Windows(const CodeMap& code, const Bits& hidden_entries, Effects& effects)
    : code_(code), entries_(hidden_entries), effects_(effects), taken_(code.text().size()) {
  find_padding();
}

bool Windows::fits(std::size_t index, std::size_t first, std::size_t last, std::uint32_t room) {
  const auto& insns = code_.insns();
  if (insns[last].end() - insns[first].at < room) return false;
  for (std::size_t i = first; i <= last; ++i) {
    const Insn& insn = insns[i];
    if (taken_.test(insn.at) || (i != index && !effects_.movable(insn))) return false;
    if (i > first && insns[i - 1].end() != insn.at) return false;
    // Each byte, since glibc jumps behind a lock prefix.
    for (std::uint32_t at = insn.at + (i == first); at < insn.end(); ++at) {
      if (entered(at)) return false;
    }
  }
  return true;
}

// The instruction before comes first: it mostly sets the flags that a conditional jump reads, and is never entered.
std::optional<Window> Windows::around(std::size_t index) {
  for (std::size_t count = 0; count <= kMaxBefore + kMaxAfter; ++count) {
    for (std::size_t after = 0; after <= std::min(count, kMaxAfter); ++after) {
      std::size_t before = count - after;
      if (before > kMaxBefore || before > index || index + after >= code_.insns().size()) continue;
      if (fits(index, index - before, index + after)) return Window{index - before, index + after};
    }
  }
  return std::nullopt;
}

std::optional<Window> Windows::from(std::size_t index) {
  for (std::size_t last = index; last < std::min(index + kJumpLength, code_.insns().size()); ++last) {
    if (fits(kNone, index, last)) return Window{index, last};
  }
  return std::nullopt;
}

std::optional<Window> Windows::before(std::size_t index) {
  const auto& insns = code_.insns();
  if (index == 0 || entered(insns[index].at) || taken_.test(insns[index].at)) return std::nullopt;
  if (insns[index - 1].end() != insns[index].at || ends_flow(insns[index - 1].kind)) return std::nullopt;
  for (std::size_t count = 1; count <= std::min(index, kMaxBefore + 1); ++count) {
    if (fits(kNone, index - count, index - 1)) return Window{index - count, index - 1};
  }
  return std::nullopt;
}

std::optional<Window> Windows::up_to(std::size_t index, std::uint32_t jump_length) {
  const auto& insns = code_.insns();
  for (std::size_t count = 1; count <= std::min(index, kMaxBefore + 1); ++count) {
    const std::size_t first = index - count;
    if (insns[index].at - insns[first].at >= jump_length && fits(index, first, index, jump_length))
      return Window{first, index};
  }
  return std::nullopt;
}

RelMask Windows::mask_of(const Window& window) const {
  RelMask mask{false, false, false, true};
  for (std::size_t i = window.first + 1; i <= window.last; ++i) {
    std::uint32_t distance = code_.insns()[i].at - begin_of(window);
    if (distance < kJumpLength) mask[distance - 1] = true;
  }
  return mask;
}

void Windows::find_padding() {
  auto add = [this](std::uint32_t begin, std::uint32_t end) {
    if (end - begin < kJumpLength || end - begin > kMaxPadding) return;
    for (std::uint32_t at = begin; at < end; ++at) {
      if (entered(at)) return;
    }
    padding_.push_back({begin, end});
  };
  // Instructions that do nothing, and int3, from `begin` on, not past `end`.
  auto fill_end = [this](std::uint32_t begin, std::uint32_t end) {
    while (begin < end) {
      auto insn = decode(code_.text().subspan(begin, end - begin), begin);
      bool fill = insn && (insn->kind == Kind::Nop || code_.text()[begin] == 0xcc);
      if (!fill) break;
      begin = insn->end();
    }
    return begin;
  };
  const auto& insns = code_.insns();
  for (std::size_t i = 0; i + 1 < insns.size(); ++i) {
    if (!ends_flow(insns[i].kind) || insns[i].kind == Kind::Trap) continue;
    std::uint32_t begin = insns[i].end(), next = insns[i + 1].at;
    std::size_t j = i + 1;
    // Padding inside a function's range was decoded; between functions it wasn't.
    while (begin == next && j < insns.size() && insns[j].kind == Kind::Nop && !entered(insns[j].at)) {
      next = insns[j++].end();
      if (j < insns.size() && insns[j].at != next) break;
    }
    add(begin, j > i + 1 ? next : fill_end(begin, next));
  }
}

std::optional<std::uint32_t> Windows::springboard(std::uint32_t end) {
  std::uint32_t low = end < 128 ? 0 : end - 128;
  auto first = std::lower_bound(padding_.begin(), padding_.end(), low, [](auto& p, auto at) { return p.end <= at; });
  for (auto p = first; p != padding_.end() && p->begin <= end + 127; ++p) {
    std::uint32_t at = std::max(p->begin, low);
    if (at > end + 127 || p->end < at + kJumpLength || taken_.test(at) || taken_.test(at + kJumpLength - 1)) continue;
    p->begin = at + kJumpLength;
    take(at, at + kJumpLength);
    return at;
  }
  return std::nullopt;
}

// The second jump lies within the last instruction, so no boundary of the original falls on its opcode or displacement.
std::optional<Windows::Donor> Windows::donor(std::size_t index) {
  const auto& insns = code_.insns();
  std::uint32_t end = insns[index].end(), low = end < 128 ? 0 : end - 128;
  for (std::size_t last = code_.index_of(low); last < insns.size() && insns[last].at < end + 127; ++last) {
    if (last == index || insns[last].length <= kJumpLength) continue;
    std::uint32_t at = insns[last].end() - kJumpLength;
    if (at < low || at > end + 127) continue;
    for (std::size_t first = last + 1; first-- > 0 && last - first <= kMaxBefore && first != index;) {
      if (insns[first].at + kJumpLength <= at && fits(kNone, first, last)) return Donor{{first, last}, at};
    }
  }
  return std::nullopt;
}

}  // namespace tmrec::patch
