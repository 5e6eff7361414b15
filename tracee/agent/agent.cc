#include "tracee/agent/agent.h"

extern "C" {
extern const std::uint8_t tmrec_agent_begin[], tmrec_agent_tick[], tmrec_agent_ticked[], tmrec_agent_special[],
    tmrec_agent_asked[], tmrec_agent_call[], tmrec_agent_end[];
}

namespace tmrec::agent {

namespace {

using patch::TaskArea;

std::uint64_t address_of(const std::uint8_t* code) {
  return kCode + static_cast<std::uint64_t>(code - tmrec_agent_begin);
}

}  // namespace

bool install(const tracee::RemoteMemory& memory) {
  const auto size = static_cast<std::size_t>(tmrec_agent_end - tmrec_agent_begin);
  return memory.write(kCode, tmrec_agent_begin, size);
}

bool prepare_area(const tracee::RemoteMemory& memory, RemoteAddr area, std::uint64_t ticks) {
  const std::uint64_t on_tick = address_of(tmrec_agent_tick), on_special = address_of(tmrec_agent_special);
  return set_counter(memory, area, ticks) &&
         memory.write(area.value + TaskArea::kTickHandler, &on_tick, sizeof on_tick) &&
         memory.write(area.value + TaskArea::kSpecialHandler, &on_special, sizeof on_special);
}

std::optional<std::uint64_t> counter(const tracee::RemoteMemory& memory, RemoteAddr area) {
  return memory.get<std::uint64_t>(area + TaskArea::kCounter);
}

bool set_counter(const tracee::RemoteMemory& memory, RemoteAddr area, std::uint64_t ticks) {
  return memory.write(area.value + TaskArea::kCounter, &ticks, sizeof ticks);
}

RemoteAddr call_address() { return RemoteAddr(address_of(tmrec_agent_call)); }

bool save_regs(const tracee::RemoteMemory& memory, RemoteAddr area, const Regs& r) {
  const SavedRegs saved{r.rax, r.rbx, r.rcx, r.rdx, r.rsi, r.rdi, r.rbp, r.rsp, r.r8,
                        r.r9,  r.r10, r.r11, r.r12, r.r13, r.r14, r.r15, r.rip, r.eflags};
  return memory.write(area.value + kSaved, &saved, sizeof saved);
}

Question question_of(const Regs& at_call) {
  if (at_call.rip == address_of(tmrec_agent_ticked)) return Question::Tick;
  if (at_call.rip == address_of(tmrec_agent_asked)) return Question::Special;
  return Question::None;
}

std::optional<Asked> program_state(const tracee::RemoteMemory& memory, const tracee::PatchedSpace& patches,
                                   RemoteAddr area, const Regs& at_call) {
  std::uint64_t words[kAreaSize / 8];
  if (!memory.read(area.value, words, sizeof words)) return std::nullopt;
  Asked asked{at_call, words[TaskArea::kBlock / 8], static_cast<std::uint32_t>(words[TaskArea::kStop / 8])};
  asked.regs.rax = words[TaskArea::kScratchRax / 8];
  asked.regs.rcx = words[TaskArea::kScratchRcx / 8];
  asked.regs.r11 = words[kScratchR11 / 8];
  asked.regs.rip = words[TaskArea::kResume / 8];
  asked.regs.orig_rax = ~std::uint64_t{0};
  constexpr std::uint64_t kZeroFlag = 0x40;
  const tracee::PatchedModule* module = patches.with_block(asked.block);
  if (module == nullptr || asked.stop >= module->plan->stops.size()) return std::nullopt;
  const bool counted = question_of(at_call) == Question::Tick && module->plan->stops[asked.stop].flags_live == 0;
  if (counted) asked.regs.eflags &= ~kZeroFlag;
  return asked;
}

}  // namespace tmrec::agent
