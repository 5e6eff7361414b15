#include "replayer/detour.h"

#include <algorithm>
#include <cstring>
#include <initializer_list>

#include "gdbstub/agent_code.h"
#include "tracee/agent/layout.h"
#include "tracee/patch/block.h"
#include "tracee/patch/decode.h"

namespace tmrec::replayer {

using patch::Insn;
using patch::Kind;

namespace {

// Of the task's area (tracee/agent/layout.h). The agent's own stack is not in use while a task executes code of the
// program's; the slot is the recorder's at other times.
constexpr std::uint32_t kProgramStack = agent::kScratch;
constexpr std::size_t kSavedWords = gdbstub::kAgentCodeRegisters + 1;  // and flags
static_assert(sizeof(agent::Area) + kSavedWords * 8 + gdbstub::kAgentCodeStack < agent::kAreaSize);

constexpr std::size_t kAround = 160;  // bytes of code besides the condition and what is displaced

class Writer {
 public:
  Writer(std::uint64_t at, std::vector<std::uint8_t>& code) : at_(at), code_(code) {}
  std::uint64_t here() const { return at_ + code_.size(); }
  void raw(std::initializer_list<std::uint8_t> bytes) { code_.insert(code_.end(), bytes); }
  void raw(std::span<const std::uint8_t> bytes) { code_.insert(code_.end(), bytes.begin(), bytes.end()); }
  void word(std::uint32_t value) {
    for (int i = 0; i < 4; ++i) code_.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
  }
  // A distance to `target` from `tail` bytes behind it.
  void distance(std::uint64_t target, std::size_t tail = 0) {
    const auto far = static_cast<std::int64_t>(target - (here() + 4 + tail));
    reaches_ = reaches_ && far == static_cast<std::int32_t>(far);
    word(static_cast<std::uint32_t>(far));
  }
  bool reaches() const { return reaches_; }

  void save_registers() {
    raw({0x65, 0x48, 0x89, 0x24, 0x25}), word(kProgramStack);    // mov %rsp,%gs:kProgramStack
    raw({0x65, 0x48, 0x8b, 0x24, 0x25}), word(agent::kSelf);     // mov %gs:kSelf,%rsp
    raw({0x48, 0x8d, 0xa4, 0x24}), word(agent::kAreaSize);       // lea kAreaSize(%rsp),%rsp
    raw({0x9c});                                                 // pushf
    for (std::uint8_t r = 0x57; r >= 0x50; --r) raw({0x41, r});  // push %r15 ... %r8
    raw({0x65, 0xff, 0x34, 0x25}), word(kProgramStack);          // push %gs:kProgramStack
    raw({0x55, 0x57, 0x56, 0x52, 0x51, 0x53, 0x50});             // push %rbp %rdi %rsi %rdx %rcx %rbx %rax
    raw({0x48, 0x89, 0xe3});                                     // mov %rsp,%rbx
  }
  void restore_registers() {
    raw({0x58, 0x5b, 0x59, 0x5a, 0x5e, 0x5f, 0x5d});             // pop %rax %rbx %rcx %rdx %rsi %rdi %rbp
    raw({0x48, 0x8d, 0x64, 0x24, 0x08});                         // lea 8(%rsp),%rsp
    for (std::uint8_t r = 0x58; r <= 0x5f; ++r) raw({0x41, r});  // pop %r8 ... %r15
    raw({0x9d});                                                 // popf
    raw({0x65, 0x48, 0x8b, 0x24, 0x25}), word(kProgramStack);    // mov %gs:kProgramStack,%rsp
  }
  void displace(const Insn& insn, std::span<const std::uint8_t> bytes, std::uint64_t original);

 private:
  std::uint64_t at_;
  std::vector<std::uint8_t>& code_;
  bool reaches_ = true;
};

void Writer::displace(const Insn& insn, std::span<const std::uint8_t> bytes, std::uint64_t original) {
  const std::uint64_t behind = original + insn.length;
  const auto target = [&] { return behind + static_cast<std::uint64_t>(patch::branch_displacement(insn, bytes)); };
  switch (insn.kind) {
    case Kind::JccShort:
    case Kind::JccNear: {
      const std::uint8_t opcode = bytes[insn.opcode + (insn.kind == Kind::JccNear ? 1u : 0u)];
      raw({0x0f, static_cast<std::uint8_t>(0x80 | (opcode & 0x0f))});
      return distance(target());
    }
    case Kind::Call:  // its return address is the program's: pushq $low; movl $high,4(%rsp)
      raw({0x68}), word(static_cast<std::uint32_t>(behind));
      raw({0xc7, 0x44, 0x24, 0x04}), word(static_cast<std::uint32_t>(behind >> 32));
      [[fallthrough]];
    case Kind::JmpShort:
    case Kind::JmpNear:
      raw({0xe9});
      return distance(target());
    default:
      break;
  }
  if (insn.rip_displacement == 0) return raw(bytes.first(insn.length));
  const std::size_t tail = insn.length - insn.rip_displacement - 4u;
  raw(bytes.first(insn.rip_displacement));
  distance(behind + static_cast<std::uint64_t>(patch::rip_displacement(insn, bytes)), tail);
  raw(bytes.subspan(insn.rip_displacement + 4u, tail));
}

// Means the same elsewhere, or can be written so that it does.
bool is_movable(const Insn& insn) {
  switch (insn.kind) {
    case Kind::Plain:
    case Kind::Nop:
    case Kind::Endbr:
    case Kind::JccShort:
    case Kind::JccNear:
    case Kind::JmpShort:
    case Kind::JmpNear:
    case Kind::JmpIndirect:
    case Kind::Call:
    case Kind::Ret:
      return !insn.odd;
    default:
      return false;
  }
}

// Nothing: they can't be displaced.
std::vector<Insn> to_displace(std::span<const std::uint8_t> bytes) {
  std::vector<Insn> found;
  std::uint32_t size = 0;
  while (size < kJump) {
    const auto insn = patch::decode(bytes.subspan(size), size);
    if (!insn || !is_movable(*insn)) return {};
    found.push_back(*insn);
    size = insn->end();
  }
  return found;
}

}  // namespace

std::optional<std::uint64_t> Detour::original_of(std::uint64_t addr) const {
  const auto copy = std::ranges::find(copies, addr, &Copy::at);
  return copy == copies.end() ? std::nullopt : std::optional(copy->original);
}

std::optional<std::uint64_t> Detour::copy_of(std::uint64_t original) const {
  for (std::size_t i = 1; i + 1 < copies.size(); ++i) {
    if (copies[i].original == original) return copies[i].at;
  }
  return std::nullopt;
}

std::size_t size_of_detour(std::size_t condition) { return condition + kAround; }

std::optional<Detour> make_detour(std::uint64_t place, std::span<const std::uint8_t> bytes,
                                  std::span<const std::uint8_t> condition, std::uint64_t at) {
  const std::vector<Insn> insns = to_displace(bytes);
  if (insns.empty()) return std::nullopt;
  Detour detour{.place = place, .displaced = {}, .jump = {}, .at = at, .code = {}, .copies = {}};
  detour.displaced.assign(bytes.begin(), bytes.begin() + insns.back().end());

  Writer jump(place, detour.jump);
  jump.raw({0xe9}), jump.distance(at);
  detour.jump.resize(detour.displaced.size(), 0xcc);

  Writer code(at, detour.code);
  code.save_registers();
  detour.work = code.here();
  code.raw(condition);
  code.raw({0x48, 0x89, 0xdc, 0x48, 0x85, 0xc0});  // mov %rbx,%rsp; test %rax,%rax
  detour.worked = code.here();
  code.raw({0x0f, 0x84}), code.word(0);  // je
  const std::size_t when_false = detour.code.size();
  code.restore_registers();
  detour.asks = code.here();
  code.raw({0xcc});
  const auto over = static_cast<std::uint32_t>(detour.code.size() - when_false);
  std::memcpy(detour.code.data() + when_false - 4, &over, sizeof over);
  code.restore_registers();
  for (const Insn& insn : insns) {
    detour.copies.push_back({place + insn.at, code.here()});
    code.displace(insn, bytes.subspan(insn.at), place + insn.at);
  }
  detour.copies.push_back({place + insns.back().end(), code.here()});
  code.raw({0xe9}), code.distance(place + insns.back().end());
  const bool fits = detour.code.size() <= size_of_detour(condition.size()) + kMostDisplaced;
  return jump.reaches() && code.reaches() && fits ? std::optional(detour) : std::nullopt;
}

std::vector<std::uint64_t> addresses_for_detour(std::uint64_t place) {
  // All of them trap, and no trampolines are at such distances (tracee/patch/block.cc).
  constexpr std::uint8_t kTops[] = {0xcc, 0xce, 0xd4, 0xd5, 0xd6, 0x9a, 0x3f, 0x37, 0x2f, 0x27, 0x1f, 0x17};
  constexpr std::uint8_t kOthers[] = {0x06, 0x16, 0x27, 0x37, 0x60, 0x6c, 0x82,
                                      0x9a, 0xcc, 0xd4, 0xe4, 0xea, 0xf4, 0xfa};
  std::vector<std::uint64_t> found;
  for (const std::uint32_t top : kTops) {
    for (const std::uint32_t high : kOthers) {
      for (const std::uint32_t low : kOthers) {
        const std::uint32_t distance = top << 24 | high << 16 | low << 8 | 0xccu;
        found.push_back(place + kJump + static_cast<std::uint64_t>(std::int64_t{static_cast<std::int32_t>(distance)}));
      }
    }
  }
  return found;
}

std::optional<Regs> regs_in_detour(const Detour& detour, const tracee::RemoteMemory& memory, RemoteAddr area,
                                   const Regs& now) {
  std::uint64_t saved[kSavedWords];
  if (!memory.read(area.value + agent::kAreaSize - sizeof saved, saved, sizeof saved)) return std::nullopt;
  Regs regs = now;
  std::uint64_t* const registers[] = {&regs.rax, &regs.rbx, &regs.rcx, &regs.rdx, &regs.rsi,   &regs.rdi,
                                      &regs.rbp, &regs.rsp, &regs.r8,  &regs.r9,  &regs.r10,   &regs.r11,
                                      &regs.r12, &regs.r13, &regs.r14, &regs.r15, &regs.eflags};
  for (std::size_t i = 0; i < kSavedWords; ++i) *registers[i] = saved[i];
  regs.rip = detour.place;
  return regs;
}

}  // namespace tmrec::replayer
