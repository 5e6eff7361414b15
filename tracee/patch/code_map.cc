#include "tracee/patch/code_map.h"

#include <elf.h>

#include <algorithm>

#include "tracee/patch/gopclntab.h"

namespace tmrec::patch {

namespace {
constexpr std::uint64_t kMaxText = std::uint64_t{1} << 30;
}

Result<void> CodeMap::load_text(const ElfImage& image) {
  Va low = ~Va{0}, high = 0;
  std::uint64_t present = 0;
  auto executable = [](const Segment& s) { return s.type == PT_LOAD && (s.flags & PF_X) && s.file_size > 0; };
  for (const auto& s : image.segments()) {
    if (!executable(s)) continue;
    low = std::min(low, s.va);
    high = std::max(high, s.va + s.file_size);
    present += s.file_size;
  }
  if (high <= low) return fail(ErrorKind::System, "no executable segment");
  if (high - low > kMaxText || high - low > present + (std::uint64_t{64} << 20)) {
    return fail(ErrorKind::System, "executable segments too large or too far apart");
  }
  base_ = low;
  text_.resize(high - low);
  for (const auto& s : image.segments()) {
    if (executable(s)) std::copy_n(image.file().data() + s.offset, s.file_size, text_.data() + (s.va - low));
  }
  return {};
}

void CodeMap::add_function(Va begin, Va end, bool signal_frame) {
  if (holds(begin) && end > begin && end - base_ <= text_.size()) {
    functions_.push_back({offset(begin), static_cast<std::uint32_t>(end - base_), signal_frame});
  }
}

Result<CodeMap> CodeMap::make(const ElfImage& image, const UnwindInfo& unwind) {
  CodeMap map;
  TMREC_CHECKED(map.load_text(image));
  map.starts_ = map.covered_ = map.targets_ = Bits(map.text_.size());
  for (const auto& f : unwind.functions) map.add_function(f.begin, f.end, f.signal_frame);
  for (const auto& f : read_go_functions(image)) map.add_function(f.begin, f.end, false);
  std::size_t named = map.functions_.size();
  for (const auto& s : image.symbols()) {
    if (s.type == STT_FUNC || s.type == STT_GNU_IFUNC) map.add_function(s.va, s.va + s.size, false);
  }
  for (std::size_t i = 0; i < map.functions_.size(); ++i) {
    auto f = map.functions_[i];
    // Symbols come second: an alias into the middle of a function is no news.
    if (i < named || !map.covered_.test(f.begin)) map.sweep(f.begin, f.end, false);
  }
  map.follow_branches();
  auto order = [](const auto& a, const auto& b) { return std::pair(a.begin, ~a.end) < std::pair(b.begin, ~b.end); };
  std::sort(map.functions_.begin(), map.functions_.end(), order);
  auto same = [](const auto& a, const auto& b) { return a.begin == b.begin; };
  map.functions_.erase(std::unique(map.functions_.begin(), map.functions_.end(), same), map.functions_.end());
  std::sort(map.insns_.begin(), map.insns_.end(), [](const Insn& a, const Insn& b) { return a.at < b.at; });
  return map;
}

// Decodes from `begin`; with `follow`, only as far as execution goes on.
void CodeMap::sweep(std::uint32_t begin, std::uint32_t end, bool follow) {
  for (std::uint32_t at = begin; at < end && !starts_.test(at);) {
    auto insn = decode(Bytes(text_).subspan(at, std::min(end - at, 16u)), at);
    if (!insn || covered_.test(at) || covered_.test(insn->end() - 1)) return;
    insns_.push_back(*insn);
    starts_.set(at);
    covered_.set_range(at, insn->end());
    if (std::int64_t t = is_direct_branch(insn->kind) ? target(*insn) : -1; t >= 0) {
      targets_.set(static_cast<std::size_t>(t));
      pending_.push_back(static_cast<std::uint32_t>(t));
    }
    if (follow && ends_flow(insn->kind)) return;
    at = insn->end();
  }
}

void CodeMap::follow_branches() {
  while (!pending_.empty()) {
    std::uint32_t at = pending_.back();
    pending_.pop_back();
    if (!covered_.test(at)) sweep(at, static_cast<std::uint32_t>(text_.size()), true);
  }
}

std::size_t CodeMap::index_of(std::uint32_t at) const {
  auto found =
      std::lower_bound(insns_.begin(), insns_.end(), at, [](const Insn& i, std::uint32_t a) { return i.at < a; });
  return static_cast<std::size_t>(found - insns_.begin());
}

bool CodeMap::jumped_into(const Insn& insn) const {
  for (std::uint32_t at = insn.at + 1; at < insn.end(); ++at) {
    if (targets_.test(at)) return true;
  }
  return false;
}

std::int64_t CodeMap::target(const Insn& insn) const {
  std::int64_t t = std::int64_t{insn.end()} + branch_displacement(insn, bytes(insn));
  return t >= 0 && t < static_cast<std::int64_t>(text_.size()) ? t : -1;
}

}  // namespace tmrec::patch
