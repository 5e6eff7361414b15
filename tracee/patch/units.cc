#include "tracee/patch/units.h"

#include <algorithm>
#include <numeric>

namespace tmrec::patch {

namespace {

bool starts_function(const CodeMap& code, std::uint32_t at) {
  return std::ranges::binary_search(code.functions(), at, {}, &FunctionRange::begin);
}

}  // namespace

std::uint32_t function_at(const CodeMap& code, std::uint32_t at) {
  const auto& all = code.functions();
  const auto behind =
      std::upper_bound(all.begin(), all.end(), at, [](std::uint32_t a, const FunctionRange& f) { return a < f.begin; });
  if (behind == all.begin() || at >= std::prev(behind)->end) return static_cast<std::uint32_t>(all.size());
  return static_cast<std::uint32_t>(behind - all.begin() - 1);
}

std::uint32_t behind_padding(const CodeMap& code, std::uint32_t at) {
  if (!code.starts().test(at)) return at;
  const auto& insns = code.insns();
  std::size_t index = code.index_of(at);
  std::uint32_t next = at;
  while (index < insns.size() && insns[index].at == next && insns[index].kind == Kind::Nop) {
    next = insns[index++].end();
    if (starts_function(code, next)) return next;
  }
  return at;
}

Units::Units(const CodeMap& code) : code_(code), joined_(code.functions().size() + 1) {
  std::iota(joined_.begin(), joined_.end(), 0u);
  const auto& insns = code.insns();
  bool running = false;  // control may come to where the next instruction is
  for (std::size_t i = 0; i < insns.size(); ++i) {
    const Insn& insn = insns[i];
    const std::uint32_t from = function_at(code, insn.at);
    if (running && i > 0 && insns[i - 1].end() == insn.at) join(function_at(code, insns[i - 1].at), from);
    // A call at a function's end does not return, and padding is not reached.
    if (insn.kind != Kind::Nop) {
      running = !ends_flow(insn.kind) && insn.kind != Kind::Call && insn.kind != Kind::CallIndirect;
    }
    if (!is_direct_branch(insn.kind) || insn.kind == Kind::Call) continue;
    const std::int64_t t = code.target(insn);
    if (t < 0) continue;
    const std::uint32_t to = behind_padding(code, static_cast<std::uint32_t>(t));
    if (!starts_function(code, to)) join(from, function_at(code, to));
  }
}

std::vector<std::uint32_t> Units::all() {
  std::vector<std::uint32_t> found(joined_.size());
  for (std::uint32_t i = 0; i < found.size(); ++i) found[i] = root(i);
  return found;
}

}  // namespace tmrec::patch
