#include "tracee/patch/sites.h"

#include <elf.h>

#include <algorithm>

namespace tmrec::patch {

namespace {

// Versions of symbols of glibc and of GCC's libraries: what these call back, they were given a pointer to.
bool is_runtime(std::string_view version) {
  constexpr std::string_view kBegins[] = {"GLIBC_", "GLIBCXX_", "CXXABI_", "GCC_"};
  return std::ranges::any_of(kBegins, [&](std::string_view begin) { return version.starts_with(begin); });
}

}  // namespace

Sites::Sites(const ElfImage& image, const CodeMap& code, const PlanOptions& options) : code_(code), options_(options) {
  for (const auto& r : image.relocations()) {
    if (r.type != R_X86_64_JUMP_SLOT && r.type != R_X86_64_GLOB_DAT && r.type != R_X86_64_IRELATIVE) continue;
    slots_[r.va] = r.value;
    if (is_runtime(r.version)) runtime_slots_.insert(r.va);
  }
  for (const auto& s : image.symbols()) {
    if (s.exported && code.holds(s.va)) exported_.push_back(code.offset(s.va));
  }
  for (const auto& s : image.sections()) {
    if (!s.name.starts_with(".plt") && s.name != ".iplt") continue;
    if (!code.holds(s.va) || s.bytes.size() > code.text().size() - code.offset(s.va)) continue;
    plt_.emplace_back(code.offset(s.va), code.offset(s.va) + static_cast<std::uint32_t>(s.bytes.size()));
  }
  for (const auto& f : code.functions()) {
    // GCC's FDE begins a byte early, so that the unwinder's lookup of "return address - 1" finds it.
    if (f.signal_frame) frames_.emplace_back(f.begin, f.end);
  }
}

void Sites::find_cycles(const Decided& decided) { cycles_.emplace(code_, bindings(), decided); }

Bindings Sites::bindings() const {
  Bindings found;
  found.exported = exported_;
  const auto& insns = code_.insns();
  for (std::size_t i = 0; i < insns.size(); ++i) {
    const Insn& insn = insns[i];
    const bool in_plt = is_in_plt(insn);
    if (insn.kind != Kind::JmpIndirect && insn.kind != Kind::CallIndirect) continue;
    const auto slot = slots_.find(slot_of(insn));
    if (slot == slots_.end() && !in_plt) continue;
    const bool own = slot != slots_.end() && code_.holds(slot->second);
    const bool runtime = slot == slots_.end() || runtime_slots_.contains(slot->first);
    const std::uint32_t to = own ? code_.offset(slot->second) : runtime ? Bindings::kRuntime : Bindings::kElsewhere;
    if (!in_plt) found.uses[insn.at] = to;
    if (insn.kind != Kind::JmpIndirect) continue;
    found.stubs[insn.at] = to;
    if (i > 0 && insns[i - 1].kind == Kind::Endbr && insns[i - 1].end() == insn.at) found.stubs[insns[i - 1].at] = to;
  }
  return found;
}

std::optional<SiteKind> Sites::kind_of(std::size_t index) const {
  const Insn& insn = code_.insns()[index];
  if (is_direct_branch(insn.kind)) {
    if (!options_.ticks || (insn.kind == Kind::Call && !options_.calls)) return std::nullopt;
    if (!closes_cycle(index)) return std::nullopt;
    return insn.kind == Kind::Call ? SiteKind::Call : SiteKind::BackwardBranch;
  }
  switch (insn.kind) {
    case Kind::JmpIndirect:
      if (!options_.ticks || (is_plt_slot(insn) && !closes_cycle(index))) return std::nullopt;
      return SiteKind::IndirectJump;
    case Kind::CallIndirect:
      if (!options_.ticks || !options_.calls) return std::nullopt;
      if (slots_.contains(slot_of(insn)) && !closes_cycle(index)) return std::nullopt;
      return SiteKind::Call;
    case Kind::Syscall:
      return !options_.syscalls || is_sigreturn(index) ? std::nullopt : std::optional(SiteKind::Syscall);
    default:
      return options_.specials ? special_kind(insn.kind) : std::nullopt;
  }
}

std::optional<SiteKind> Sites::special_kind(Kind kind) {
  switch (kind) {
    case Kind::Rdtsc:
      return SiteKind::Rdtsc;
    case Kind::Rdtscp:
      return SiteKind::Rdtscp;
    case Kind::Rdpid:
      return SiteKind::Rdpid;
    case Kind::Rdrand:
      return SiteKind::Rdrand;
    case Kind::Rdseed:
      return SiteKind::Rdseed;
    case Kind::Cpuid:
      return SiteKind::Cpuid;
    case Kind::Xgetbv:
      return SiteKind::Xgetbv;
    case Kind::Rdpmc:
      return SiteKind::Rdpmc;
    case Kind::Rdpru:
      return SiteKind::Rdpru;
    case Kind::StoreSystem:
      return SiteKind::StoreSystem;
    case Kind::Xbegin:
      return SiteKind::Xbegin;
    default:
      return std::nullopt;
  }
}

bool Sites::is_in_plt(const Insn& insn) const {
  return std::ranges::any_of(plt_, [&](const auto& part) { return insn.at >= part.first && insn.at < part.second; });
}

bool Sites::is_plt_slot(const Insn& insn) const { return is_in_plt(insn) || slots_.contains(slot_of(insn)); }

// The word that a jump or call goes through, if the linker knows where it is; else 0, where no slot is.
Va Sites::slot_of(const Insn& insn) const {
  if (insn.rip_displacement == 0) return 0;
  return code_.va(insn.end()) + static_cast<std::uint64_t>(rip_displacement(insn, code_.bytes(insn)));
}

// `mov $15,%eax` or `mov $15,%rax` and the syscall, or anything that unwind information calls a signal frame.
bool Sites::is_sigreturn(std::size_t index) const {
  const Insn& insn = code_.insns()[index];
  for (auto [begin, end] : frames_) {
    if (insn.at >= begin && insn.at < end) return true;
  }
  if (index == 0) return false;
  const Insn& before = code_.insns()[index - 1];
  static constexpr std::uint8_t kShort[] = {0xb8, 15, 0, 0, 0}, kLong[] = {0x48, 0xc7, 0xc0, 15, 0, 0, 0};
  Bytes bytes = code_.bytes(before).first(before.length);
  return before.end() == insn.at && (std::ranges::equal(bytes, kShort) || std::ranges::equal(bytes, kLong));
}

}  // namespace tmrec::patch
