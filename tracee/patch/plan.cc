#include "tracee/patch/plan.h"

#include <elf.h>
#include <xxhash.h>

#include <algorithm>
#include <cstring>

#include "tracee/patch/hidden_entries.h"
#include "tracee/patch/trampolines.h"
#include "tracee/patch/vsyscall.h"

namespace tmrec::patch {

namespace {

class Planner {
 public:
  Planner(const CodeMap& code, const Bits& entries, Sites& sites, Plan& plan)
      : code_(code),
        sites_(sites),
        plan_(plan),
        effects_(code),
        windows_(code, entries, effects_),
        trampolines_(code, entries, sites, effects_, plan) {}

  Result<void> run() {
    TMREC_CHECKED(trampolines_.reserve(plan_.options.reach));
    if (plan_.options.specials) lead_to_vsyscall_twin();
    Decided decided{take_windows_of_jumps(), {}, plan_.options.calls};
    decided.calls = count_calls_for_certain();
    sites_.find_cycles(decided);
    for (std::size_t i = 0; i < code_.insns().size(); ++i) {
      const Insn& insn = code_.insns()[i];
      if (insn.kind == Kind::CallIndirect) continue;
      auto kind = sites_.kind_of(i);
      if (kind && (jump_windows_.contains(i) || !windows_.taken(insn.at))) patch(i, *kind);
    }
    // Last, the other calls through pointers: they can do with any window in front of them that nothing else needs.
    std::vector<std::size_t> without_room;
    for (std::size_t i = 0; i < code_.insns().size(); ++i) {
      if (code_.insns()[i].kind != Kind::CallIndirect || !sites_.kind_of(i)) continue;
      if (std::ranges::binary_search(decided.calls, i) || before_call(i)) continue;
      without_room.push_back(i);
    }
    for (const std::size_t i : without_room) {
      if (!on_the_way(i)) at_entries(i);
    }
    if (plan_.options.ticks) lead_to_copied_switches();
    std::ranges::sort(plan_.sites, {}, &Site::program);
    std::ranges::sort(plan_.edits, {}, &Edit::program);
    TMREC_CHECKED(trampolines_.finish());
    for (const Rel& rel : rels_) fill(rel);
    plan_.index_copies();
    return {};
  }

 private:
  // A displacement in edit_bytes that leads to a tick.
  struct Rel {
    std::uint32_t bytes, program_end;
    std::size_t tick;
  };

  // Indirect jumps choose first: what else must be counted depends on which of them can be. Returns those that can't.
  std::vector<std::size_t> take_windows_of_jumps() {
    std::vector<std::size_t> stubborn;
    for (std::size_t i = 0; i < code_.insns().size(); ++i) {
      const Insn& insn = code_.insns()[i];
      if (insn.kind != Kind::JmpIndirect || !sites_.kind_of(i)) continue;
      // In the window of another jump it is moved and counted with that one.
      if (windows_.taken(insn.at)) continue;
      auto window = insn.odd || code_.jumped_into(insn) ? std::nullopt : windows_.around(i);
      if (window) {
        windows_.take(*window);
        jump_windows_[i] = *window;
      } else {
        stubborn.push_back(i);
      }
    }
    return stubborn;
  }

  // Calls through pointers with room in front of them, for what is no branch: loops that they are in need no other
  // tick.
  std::vector<std::size_t> count_calls_for_certain() {
    std::vector<std::size_t> counted;
    for (std::size_t i = 0; i < code_.insns().size(); ++i) {
      if (code_.insns()[i].kind != Kind::CallIndirect || !sites_.kind_of(i)) continue;
      const auto window = windows_.before(i);
      if (!window || leaves(*window) || !before_call(i)) continue;
      counted.push_back(i);
    }
    return counted;
  }

  bool leaves(const Window& window) const {
    const auto insns = std::span(code_.insns()).subspan(window.first, window.last + 1 - window.first);
    return std::ranges::any_of(insns, [](const Insn& insn) { return is_direct_branch(insn.kind); });
  }

  void patch(std::size_t index, SiteKind kind) {
    const Insn& insn = code_.insns()[index];
    bool near = insn.kind == Kind::JccNear || insn.kind == Kind::JmpNear || insn.kind == Kind::Call;
    bool possible = !insn.odd && insn.kind != Kind::Xbegin && !code_.jumped_into(insn);
    if (possible && near) return retarget(index, kind);
    if (possible && kind == SiteKind::Syscall && before_syscall(index)) return;
    if (possible && window(index)) return;
    if (possible && is_short_branch(insn.kind) && springboard(index, kind)) return;
    if (possible && is_direct_branch(insn.kind) && header(index, kind)) return;
    if (possible && is_short_branch(insn.kind) && donor(index, kind)) return;
    if (possible && plan_.options.traps && trap(index)) return;
    plan_.sites.push_back({insn.at, kNone, kind, Method::None, insn.length});
  }

  void lead_to_vsyscall_twin() {
    for (const Insn& insn : code_.insns()) {
      const auto twin = vsyscall_twin_of(insn, code_.bytes(insn));
      if (!twin) continue;
      const bool possible = !code_.jumped_into(insn);
      if (possible) {
        const std::uint32_t bytes = edit(insn.end() - 4, 4);
        std::memcpy(plan_.edit_bytes.data() + bytes, &*twin, 4);
        windows_.take(insn.at, insn.end());
      }
      plan_.sites.push_back(
          {insn.at, kNone, SiteKind::Vsyscall, possible ? Method::Retarget : Method::None, insn.length});
    }
  }

  void retarget(std::size_t index, SiteKind kind) {
    const Insn& insn = code_.insns()[index];
    add_site(index, kind, Method::Retarget, lead_to_tick(insn.end() - 4, index));
    windows_.take(insn.at, insn.end());
  }

  // An edit of 4 bytes at `at`, a displacement to the tick of the branch at `index`. Returns the tick.
  std::size_t lead_to_tick(std::uint32_t at, std::size_t index) {
    std::size_t tick = trampolines_.tick_of(index);
    rels_.push_back({edit(at, 4), at + 4, tick});
    return tick;
  }

  void add_site(std::size_t index, SiteKind kind, Method method, std::size_t tick) {
    const Insn& insn = code_.insns()[index];
    plan_.sites.push_back({insn.at, trampolines_.stop_of_tick(tick), kind, method, insn.length});
  }

  bool window(std::size_t index) {
    auto known = jump_windows_.find(index);
    auto window = known != jump_windows_.end() ? std::optional(known->second) : windows_.around(index);
    if (!window) return false;
    auto va = trampolines_.copy_window(*window, windows_.mask_of(*window), Method::Window);
    if (!va) return false;
    jump_from(*window, *va);
    return true;
  }

  // A window at the target of the branch. Not at a function's start: each call would count.
  bool header(std::size_t index, SiteKind kind) {
    const Insn& insn = code_.insns()[index];
    auto target = static_cast<std::uint32_t>(code_.target(insn));
    if (is_function(target)) return false;
    const std::uint32_t stop = count_at(target, insn.at);
    if (stop == kNone) return false;
    plan_.sites.push_back({insn.at, stop, kind, Method::Header, insn.length});
    windows_.take(insn.at, insn.end());
    return true;
  }

  // Counts where an instruction is come to, in a window that ends before `limit`. kNone: there is no room.
  std::uint32_t count_at(std::uint32_t at, std::uint32_t limit = kNone) {
    if (auto known = headers_.find(at); known != headers_.end()) return known->second;
    auto window = code_.starts().test(at) ? windows_.from(code_.index_of(at)) : std::nullopt;
    if (!window || windows_.end_of(*window) > limit) return kNone;
    auto made = trampolines_.copy_header(*window, windows_.mask_of(*window));
    if (!made) return kNone;
    jump_from(*window, made->va);
    return headers_[at] = made->stop;
  }

  // Interpreters come back to a switch after each step, and its jump is counted in a window: a copy of the switch up to
  // there saves them the way to the window.
  void lead_to_copied_switches() {
    std::unordered_map<std::uint32_t, std::optional<std::int64_t>> copies;  // by what is led to
    for (const Insn& insn : code_.insns()) {
      if ((insn.kind != Kind::JmpNear && insn.kind != Kind::JccNear) || insn.odd || code_.jumped_into(insn)) continue;
      const std::int64_t t = code_.target(insn);
      if (t < 0 || t > insn.at || windows_.taken(insn.at) || !code_.starts().test(static_cast<std::size_t>(t)))
        continue;
      const auto [known, fresh] = copies.try_emplace(static_cast<std::uint32_t>(t));
      if (fresh) known->second = copied_switch(code_.index_of(known->first));
      if (!known->second) continue;
      write_rel(edit(insn.end() - 4, 4), insn.end(), *known->second);
      windows_.take(insn.at, insn.end());
    }
  }

  // A copy of the code from here to a jump that is counted in a window, if all of it can be moved.
  std::optional<std::int64_t> copied_switch(std::size_t first) {
    constexpr std::size_t kLongest = 12;
    const auto& insns = code_.insns();
    std::size_t last = first;
    while (last < insns.size() && last - first < kLongest && insns[last].kind != Kind::JmpIndirect) {
      const bool branch = insns[last].kind == Kind::JccShort || insns[last].kind == Kind::JccNear;
      const bool moves = branch || (effects_.movable(insns[last]) && !is_direct_branch(insns[last].kind));
      if (!moves || last + 1 == insns.size() || insns[last + 1].at != insns[last].end()) return std::nullopt;
      ++last;
    }
    const auto window = jump_windows_.find(last);
    if (last == first || window == jump_windows_.end() || window->second.first <= first) return std::nullopt;
    return trampolines_.copy_switch({first, last});
  }

  // The call itself stays where it is, and with it the return address: what stands before it goes by way of a tick.
  bool before_call(std::size_t index) {
    const Insn& insn = code_.insns()[index];
    auto window = windows_.before(index);
    auto made = window ? trampolines_.copy_before_call(*window, index, windows_.mask_of(*window)) : std::nullopt;
    if (!made) return false;
    jump_from(*window, made->va);
    plan_.sites.push_back({insn.at, made->stop, SiteKind::Call, Method::Window, insn.length});
    return true;
  }

  // Counts at an instruction that control passes on the way to the call in any case, where one is counted already or
  // has room.
  bool on_the_way(std::size_t index) {
    constexpr std::size_t kFarthest = 48;
    const auto& insns = code_.insns();
    std::uint32_t stop = kNone;
    std::vector<std::uint32_t> passed;
    for (std::size_t i = index; i > 0 && index - i < kFarthest && !windows_.entered(insns[i].at); --i) {
      if (insns[i - 1].end() != insns[i].at || ends_flow(insns[i - 1].kind)) break;
      passed.push_back(insns[i - 1].at);
    }
    if (const auto known = std::ranges::find_if(passed, [this](auto at) { return headers_.contains(at); });
        known != passed.end()) {
      stop = headers_[*known];
    }
    for (std::size_t i = 0; i < passed.size() && stop == kNone; ++i) stop = count_at(passed[i], insns[index].at);
    if (stop == kNone) return false;
    plan_.sites.push_back({insns[index].at, stop, SiteKind::Call, Method::Header, insns[index].length});
    return true;
  }

  // Who recurs through the call comes to an entry of its function again. All of them, or none: each counts all calls.
  void at_entries(std::size_t index) {
    const Insn& insn = code_.insns()[index];
    const std::vector<std::uint32_t> entries = sites_.entries_of(index);
    const bool possible = std::ranges::all_of(entries, [&](std::uint32_t at) {
      return headers_.contains(at) || (code_.starts().test(at) && windows_.from(code_.index_of(at)));
    });
    std::uint32_t stop = kNone;
    const bool counted = possible && std::ranges::all_of(entries, [&](std::uint32_t at) {
                           stop = count_at(at);
                           return stop != kNone;
                         });
    if (!counted) stop = kNone;
    plan_.sites.push_back({insn.at, stop, SiteKind::Call, stop == kNone ? Method::None : Method::Header, insn.length});
  }

  // The system call stays as well, for who comes to it otherwise: from a signal handler, and perhaps when nobody is
  // there any more who could help a task out of a window. What stands in front of it leads to the agent, by a short
  // jump to padding where there is no room for a long one.
  bool before_syscall(std::size_t index) {
    const std::uint32_t at = code_.insns()[index].at;
    constexpr std::uint32_t kHopLength = 2;
    if (auto window = windows_.up_to(index, kJumpLength)) {
      auto va = trampolines_.copy_window(*window, windows_.mask_of(*window), Method::Window);
      if (va) return replace(*window, at, *va), true;
    }
    auto window = windows_.up_to(index, kHopLength);
    if (!window) return false;
    const std::uint32_t begin = windows_.begin_of(*window);
    auto from = windows_.springboard(begin + kHopLength);
    if (!from) return false;
    auto va = trampolines_.copy_window(*window, RelMask{false, false, false, true}, Method::Springboard, *from);
    if (!va) return false;
    windows_.take(*window);
    const std::uint32_t hop = edit(begin, at - begin);
    plan_.edit_bytes[hop] = 0xeb;
    plan_.edit_bytes[hop + 1] = static_cast<std::uint8_t>(*from - (begin + kHopLength));
    plan_.edit_bytes[edit(*from, 1)] = 0xe9;
    write_rel(edit(*from + 1, 4), *from + kJumpLength, *va);
    return true;
  }

  bool is_function(std::uint32_t at) const {
    auto f = std::ranges::lower_bound(code_.functions(), at, {}, &FunctionRange::begin);
    return f != code_.functions().end() && f->begin == at;
  }

  // Returns the index of its first byte in edit_bytes.
  std::uint32_t jump_from(const Window& window, std::int64_t to) {
    return replace(window, windows_.end_of(window), to);
  }

  // The same for the bytes of the window in front of `end`.
  std::uint32_t replace(const Window& window, std::uint32_t end, std::int64_t to) {
    std::uint32_t begin = windows_.begin_of(window);
    windows_.take(window);
    std::uint32_t bytes = edit(begin, end - begin);
    plan_.edit_bytes[bytes] = 0xe9;
    write_rel(bytes + 1, begin + kJumpLength, to);
    return bytes;
  }

  bool springboard(std::size_t index, SiteKind kind) {
    const Insn& insn = code_.insns()[index];
    auto at = windows_.springboard(insn.end());
    if (!at) return false;
    std::uint32_t hop = edit(insn.end() - 1, 1);
    plan_.edit_bytes[hop] = static_cast<std::uint8_t>(*at - insn.end());
    plan_.edit_bytes[edit(*at, 1)] = 0xe9;
    add_site(index, kind, Method::Springboard, lead_to_tick(*at + 1, index));
    windows_.take(insn.at, insn.end());
    return true;
  }

  // A springboard behind the jump of a window made for it.
  bool donor(std::size_t index, SiteKind kind) {
    const Insn& insn = code_.insns()[index];
    auto donor = windows_.donor(index);
    if (!donor) return false;
    auto va = trampolines_.copy_window(donor->window, windows_.mask_of(donor->window), Method::Window);
    if (!va) return false;
    std::uint32_t bytes = jump_from(donor->window, *va) + (donor->springboard - windows_.begin_of(donor->window));
    plan_.edit_bytes[bytes] = 0xe9;
    std::size_t tick = trampolines_.tick_of(index);
    rels_.push_back({bytes + 1, donor->springboard + kJumpLength, tick});
    std::uint32_t hop = edit(insn.end() - 1, 1);
    plan_.edit_bytes[hop] = static_cast<std::uint8_t>(donor->springboard - insn.end());
    add_site(index, kind, Method::Springboard, tick);
    windows_.take(insn.at, insn.end());
    return true;
  }

  bool trap(std::size_t index) {
    Window alone{index, index};
    if (!trampolines_.copy_window(alone, RelMask{false, false, false, false}, Method::Trap)) return false;
    windows_.take(alone);
    edit(code_.insns()[index].at, 1);
    return true;
  }

  // Adds an edit, filled with int3; the index of its first byte.
  std::uint32_t edit(std::uint32_t at, std::uint32_t length) {
    auto bytes = static_cast<std::uint32_t>(plan_.edit_bytes.size());
    plan_.edits.push_back({at, bytes, length});
    plan_.edit_bytes.resize(bytes + length, 0xcc);
    return bytes;
  }

  void write_rel(std::uint32_t bytes, std::uint32_t program_end, std::int64_t to) {
    auto rel = static_cast<std::int32_t>(to - static_cast<std::int64_t>(code_.va(program_end)));
    std::memcpy(plan_.edit_bytes.data() + bytes, &rel, 4);
  }
  void fill(const Rel& rel) { write_rel(rel.bytes, rel.program_end, trampolines_.address_of_tick(rel.tick)); }

  const CodeMap& code_;
  Sites& sites_;
  Plan& plan_;
  Effects effects_;
  Windows windows_;
  Trampolines trampolines_;
  std::vector<Rel> rels_;
  std::unordered_map<std::size_t, Window> jump_windows_;      // by the indirect jump's index; taken
  std::unordered_map<std::uint32_t, std::uint32_t> headers_;  // patched loop headers and entries -> stop
};

// Before all the work.
Result<void> check_reach(const ElfImage& image, Reach reach) {
  Va low = ~Va{0}, high = 0;
  for (const Segment& segment : image.segments()) {
    if (segment.type != PT_LOAD || (segment.flags & PF_X) == 0 || segment.file_size == 0) continue;
    low = std::min(low, segment.va);
    high = std::max(high, segment.va + segment.file_size);
  }
  if (low < high) TMREC_CHECKED(BlockSpace::make(low, high, reach));
  return {};
}

}  // namespace

namespace {

bool reads_tsc(Kind kind) { return kind == Kind::Rdtsc || kind == Kind::Rdtscp; }

// In the middle of another instruction the bytes are none; where no instruction is known they may be one.
bool covers_tsc(const CodeMap& code, const Plan& plan) {
  if (!plan.options.specials) return false;
  const Bytes text = code.text();
  const auto leads_to_agent = [&](const Insn& insn) {
    const auto site = std::ranges::lower_bound(plan.sites, insn.at, {}, &Site::program);
    return site != plan.sites.end() && site->program == insn.at && site->method != Method::None;
  };
  for (std::uint32_t at = 0; at + 1 < text.size(); ++at) {
    if (text[at] != 0x0f) continue;
    const bool rdtscp = text[at + 1] == 0x01 && at + 2 < text.size() && text[at + 2] == 0xf9;
    if (text[at + 1] != 0x31 && !rdtscp) continue;
    const auto next = std::ranges::upper_bound(code.insns(), at, {}, &Insn::at);
    if (next == code.insns().begin() || at >= std::prev(next)->end()) return false;
    const Insn& insn = *std::prev(next);
    if (reads_tsc(insn.kind) ? !leads_to_agent(insn) : insn.at == at) return false;
  }
  return true;
}

}  // namespace

Result<Plan> make_plan(Bytes file, const PlanOptions& options) {
  TMREC_TRY(ElfImage image, ElfImage::parse(file));
  TMREC_CHECKED(check_reach(image, options.reach));
  UnwindInfo unwind = read_unwind_info(image);
  TMREC_TRY(CodeMap code, CodeMap::make(image, unwind));
  if (std::ranges::any_of(code.insns(), &Insn::gs)) return fail(ErrorKind::System, std::string(kUsesGs));
  Bits entries = find_hidden_entries(image, unwind, code);
  Sites sites(image, code, options);

  Plan plan;
  plan.options = options;
  auto hash = XXH3_128bits(file.data(), file.size());
  plan.content = {hash.low64, hash.high64};
  plan.text_va = code.base();
  plan.text_size = static_cast<std::uint32_t>(code.text().size());
  for (const Segment& segment : image.segments()) {
    if (segment.va <= plan.text_va && plan.text_va - segment.va < segment.file_size) {
      plan.text_offset = segment.offset + (plan.text_va - segment.va);
    }
  }
  for (const Insn& insn : code.insns()) plan.code_bytes += insn.length;
  TMREC_CHECKED(Planner(code, entries, sites, plan).run());
  plan.covers_tsc = covers_tsc(code, plan);
  return plan;
}

}  // namespace tmrec::patch
