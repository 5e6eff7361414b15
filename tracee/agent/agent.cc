#include "tracee/agent/agent.h"

#include <algorithm>
#include <cstring>
#include <vector>

extern "C" {
extern const std::uint8_t _binary_tmrec_agent_start[], _binary_tmrec_agent_end[];
}

namespace tmrec::agent {

namespace {

using patch::TaskArea;

}  // namespace

std::span<const std::uint8_t> all_code() { return {_binary_tmrec_agent_start, _binary_tmrec_agent_end}; }

const Directory& directory() {
  static const Directory known = [] {
    Directory read;
    std::memcpy(&read, all_code().data(), sizeof read);
    return read;
  }();
  return known;
}

bool install(const tracee::RemoteMemory& memory) { return memory.write(kCode, all_code().data(), kEntriesSize); }

bool install_calls(const tracee::RemoteMemory& memory) {
  const auto calls = all_code().subspan(kEntriesSize);
  static_assert(kCodeSize >= 2 * kEntriesSize);
  return calls.size() <= kCodeSize - kEntriesSize && memory.write(kCode + kEntriesSize, calls.data(), calls.size());
}

bool prepare_area(const tracee::RemoteMemory& memory, RemoteAddr area, std::uint64_t ticks) {
  const Directory& at = directory();
  return set_counter(memory, area, ticks) &&
         memory.write(area.value + TaskArea::kTickHandler, &at.tick, sizeof at.tick) &&
         memory.write(area.value + TaskArea::kSpecialHandler, &at.special, sizeof at.special) &&
         memory.write(area.value + kSelf, &area.value, sizeof area.value) && set_conduct(memory, area, {});
}

bool set_conduct(const tracee::RemoteMemory& memory, RemoteAddr area, const Conduct& conduct) {
  return memory.write(area.value + kConduct, &conduct, sizeof conduct);
}

void stand_down(const tracee::RemoteMemory& memory) {
  const std::uint32_t let_go = kLetGo;
  const std::vector<Slot> none(kMaxSlots);  // who sleeps for the baton finds that its word has changed
  memory.write(kRing + offsetof(RingHeader, baton), &let_go, sizeof let_go);
  memory.write(kRing + offsetof(RingHeader, slots), none.data(), none.size() * sizeof(Slot));
  for (std::size_t i = 0; i < kMaxTasks; ++i) {
    // Areas are given out from the first one on.
    auto self = memory.get<std::uint64_t>(area(i) + kSelf);
    if (!self || *self == 0 || !set_conduct(memory, area(i), {})) return;
  }
}

std::optional<std::uint64_t> counter(const tracee::RemoteMemory& memory, RemoteAddr area) {
  return memory.get<std::uint64_t>(area + TaskArea::kCounter);
}

bool set_counter(const tracee::RemoteMemory& memory, RemoteAddr area, std::uint64_t ticks) {
  return memory.write(area.value + TaskArea::kCounter, &ticks, sizeof ticks);
}

void note_kept(const tracee::RemoteMemory& memory, RemoteAddr area, std::span<const siginfo_t> signals) {
  static_assert(sizeof(siginfo_t) == sizeof Area{}.kept[0]);
  signals = signals.first(std::min(signals.size(), kMostKept));
  const std::uint64_t count = signals.size();
  memory.write(area.value + kKept + sizeof count, signals.data(), signals.size_bytes());
  memory.write(area.value + kKept, &count, sizeof count);
}

std::vector<siginfo_t> kept(const tracee::RemoteMemory& memory, RemoteAddr area) {
  const std::uint64_t count = memory.get<std::uint64_t>(area + kKept).value_or(0);
  std::vector<siginfo_t> signals(std::min<std::uint64_t>(count, kMostKept));
  const std::uint64_t at = area.value + kKept + sizeof count;
  if (!memory.read(at, signals.data(), signals.size() * sizeof(siginfo_t))) return {};
  return signals;
}

RemoteAddr call_address() { return RemoteAddr(directory().remote_call); }
RemoteAddr script_address() { return RemoteAddr(directory().script); }

namespace {

SavedRegs saved(const Regs& r) {
  return {r.rax, r.rbx, r.rcx, r.rdx, r.rsi, r.rdi, r.rbp, r.rsp, r.r8,
          r.r9,  r.r10, r.r11, r.r12, r.r13, r.r14, r.r15, r.rip, r.eflags};
}

}  // namespace

bool save_regs(const tracee::RemoteMemory& memory, RemoteAddr area, const Regs& regs) {
  const SavedRegs remote = saved(regs);
  return memory.write(area.value + kSaved, &remote, sizeof remote);
}

namespace {

// Of an area, what lies behind each other in it.
struct ScriptPart {
  SavedRegs scripted;
  std::uint64_t self;
  Conduct conduct;
  ScriptCall script[kMostScriptCalls + 1];
};
static_assert(kSelf - kScripted == offsetof(ScriptPart, self) &&
              kConduct - kScripted == offsetof(ScriptPart, conduct) &&
              kScript - kScripted == offsetof(ScriptPart, script));

}  // namespace

bool prepare_script(const tracee::RemoteMemory& memory, RemoteAddr area, const Regs& regs,
                    std::span<const ScriptCall> calls) {
  if (calls.size() > kMostScriptCalls + 1) return false;
  ScriptPart part{saved(regs), area.value, {.dispatch = 1}, {}};
  std::ranges::copy(calls, part.script);
  return memory.write(area.value + kScripted, &part, offsetof(ScriptPart, script) + calls.size_bytes());
}

std::optional<Regs> way_back(const tracee::RemoteMemory& memory, RemoteAddr area, const Regs& regs) {
  const Directory& at = directory();
  const bool in_script = (regs.rip >= at.script_asks && regs.rip <= at.script_done) ||
                         (regs.rip >= at.script && regs.rip < at.on_sigsys);
  if (!in_script && (regs.rip < at.remote_call || regs.rip >= at.script)) return std::nullopt;
  const auto saved = memory.get<SavedRegs>(area + (in_script ? kScripted : kSaved));
  if (!saved) return std::nullopt;
  const SavedRegs& s = *saved;
  Regs r = regs;
  r.rax = s.rax, r.rbx = s.rbx, r.rcx = s.rcx, r.rdx = s.rdx, r.rsi = s.rsi, r.rdi = s.rdi, r.rbp = s.rbp,
  r.rsp = s.rsp;
  r.r8 = s.r8, r.r9 = s.r9, r.r10 = s.r10, r.r11 = s.r11, r.r12 = s.r12, r.r13 = s.r13, r.r14 = s.r14, r.r15 = s.r15;
  r.rip = s.rip, r.eflags = s.flags;
  r.orig_rax = ~std::uint64_t{0};
  return r;
}

Question question_of(const Regs& at_call) {
  const Directory& at = directory();
  if (at_call.rip == at.ticked) return Question::Tick;
  if (at_call.rip == at.special_asked) return Question::Special;
  if (at_call.rip == at.call_asked) return Question::Call;
  if (at_call.rip == at.woken) return Question::Baton;
  if (at_call.rip == at.script_done) return Question::Script;
  return at_call.rip == at.returned ? Question::Returned : Question::None;
}

std::optional<Asked> unanswered(const tracee::RemoteMemory& memory, RemoteAddr area, const Regs& at_call) {
  std::uint64_t words[kScript / 8];
  const Question question = question_of(at_call);
  const bool of_program = question != Question::None && question != Question::Baton && question != Question::Script;
  if (!of_program || !memory.read(area.value, words, sizeof words)) return std::nullopt;
  Asked asked{at_call, words[TaskArea::kBlock / 8], static_cast<std::uint32_t>(words[TaskArea::kStop / 8])};
  std::memcpy(static_cast<void*>(&asked.conduct), &words[kConduct / 8], sizeof asked.conduct);
  asked.regs.rax = words[TaskArea::kScratchRax / 8];
  asked.regs.rcx = words[TaskArea::kScratchRcx / 8];
  asked.regs.r11 = words[kScratchR11 / 8];
  asked.regs.rip = words[TaskArea::kResume / 8];
  asked.regs.orig_rax = ~std::uint64_t{0};
  return asked;
}

std::optional<Asked> program_state(const tracee::RemoteMemory& memory, const tracee::PatchedSpace& patches,
                                   RemoteAddr area, const Regs& at_call) {
  auto found = unanswered(memory, area, at_call);
  if (!found) return std::nullopt;
  Asked& asked = *found;
  const Question question = question_of(at_call);
  if (question == Question::Call || question == Question::Returned) return asked;
  constexpr std::uint64_t kZeroFlag = 0x40;
  const tracee::PatchedModule* module = patches.with_block(asked.block);
  if (module == nullptr || asked.stop >= module->plan->stops.size()) return std::nullopt;
  const bool counted = question == Question::Tick && module->plan->stops[asked.stop].flags_live == 0;
  if (counted) asked.regs.eflags &= ~kZeroFlag;
  return asked;
}

std::optional<Regs> out_of_wait(const tracee::RemoteMemory& memory, RemoteAddr area, const Regs& regs, bool begun) {
  constexpr std::int64_t kRestartNoIntr = -513;  // include/linux/errno.h
  const Directory& at = directory();
  const auto conduct = memory.get<Conduct>(area + kConduct);
  if (!conduct || conduct->slot == 0 || conduct->slot > kMaxSlots) return std::nullopt;
  const auto state = memory.get<SlotState>(RemoteAddr(slot_state(conduct->slot - 1u)));
  const auto call = memory.get<SavedRegs>(area + kCall);
  const auto result = memory.get<std::uint64_t>(area + kResult);
  if (!state || !call || !result) return std::nullopt;
  Regs r = regs;
  switch (*state) {
    case SlotState::Runs:
      if (!begun) return std::nullopt;
      r.rax = static_cast<std::uint64_t>(kRestartNoIntr);
      break;
    case SlotState::Waits:
      if (regs.rip < at.waited || regs.rip >= at.waited_end) r.rax = static_cast<std::uint64_t>(kRestartNoIntr);
      break;
    case SlotState::Returned:
    case SlotState::Ready:
    case SlotState::Chosen:
      r.rax = *result;
      break;
    case SlotState::Ends:
      return std::nullopt;
  }
  r.rbx = call->rbx, r.rdx = call->rdx, r.rsi = call->rsi, r.rdi = call->rdi, r.rbp = call->rbp, r.rsp = call->rsp;
  r.r8 = call->r8, r.r9 = call->r9, r.r10 = call->r10, r.r12 = call->r12, r.r13 = call->r13, r.r14 = call->r14;
  r.r15 = call->r15;
  r.rip = r.rcx = call->rip + 2;
  r.eflags = r.r11 = call->flags;
  r.orig_rax = call->rax;
  return r;
}

std::optional<RemoteAddr> before_commit(std::uint64_t rip) {
  const Directory& at = directory();
  return rip > at.commits && rip < at.committed ? std::optional(RemoteAddr(at.commits)) : std::nullopt;
}

bool will_look(std::uint64_t rip) {
  const Directory& at = directory();
  return is_code(rip) && !(rip >= at.looked && rip < at.looked_end);
}

bool is_dispatch(const siginfo_t& info) {
  constexpr int kSysUserDispatch = 2;  // SYS_USER_DISPATCH, asm-generic/siginfo.h
  return info.si_signo == SIGSYS && info.si_code == kSysUserDispatch;
}

std::optional<RemoteAddr> failed_copy(std::uint64_t rip) {
  return rip == directory().copy ? std::optional(RemoteAddr(directory().copy_failed)) : std::nullopt;
}

}  // namespace tmrec::agent
