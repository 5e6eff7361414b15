#include "tracee/patch/sites.h"

#include <elf.h>

#include <algorithm>

namespace tmrec::patch {

Sites::Sites(const ElfImage& image, const CodeMap& code, const PlanOptions& options) : code_(code), options_(options) {
  for (const auto& r : image.relocations()) {
    if (r.type == R_X86_64_JUMP_SLOT || r.type == R_X86_64_GLOB_DAT || r.type == R_X86_64_IRELATIVE)
      slots_.insert(r.va);
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

std::optional<SiteKind> Sites::kind_of(std::size_t index) const {
  const Insn& insn = code_.insns()[index];
  if (is_direct_branch(insn.kind)) {
    if (!options_.ticks || (insn.kind == Kind::Call && !options_.calls)) return std::nullopt;
    std::int64_t target = code_.target(insn);
    if (target < 0 || target > std::int64_t{insn.at}) return std::nullopt;
    return insn.kind == Kind::Call ? SiteKind::Call : SiteKind::BackwardBranch;
  }
  switch (insn.kind) {
    case Kind::JmpIndirect:
      return options_.ticks && !is_plt_slot(insn) ? std::optional(SiteKind::IndirectJump) : std::nullopt;
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

bool Sites::is_plt_slot(const Insn& insn) const {
  for (auto [begin, end] : plt_) {
    if (insn.at >= begin && insn.at < end) return true;
  }
  if (insn.rip_displacement == 0) return false;
  return slots_.contains(code_.va(insn.end()) + static_cast<std::uint64_t>(rip_displacement(insn, code_.bytes(insn))));
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
