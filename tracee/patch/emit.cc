#include "tracee/patch/emit.h"

#include "tracee/patch/task_area.h"

namespace tmrec::patch {

void Code::word32(std::uint32_t value) {
  for (int i = 0; i < 4; ++i) bytes_.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}

void Code::copy(const CodeMap& code, const Insn& insn) {
  Bytes original = code.bytes(insn).first(insn.length);
  std::uint32_t start = size();
  bytes_.insert(bytes_.end(), original.begin(), original.end());
  if (insn.rip_displacement == 0) return;
  auto address = static_cast<std::int64_t>(code.va(insn.end())) + rip_displacement(insn, original);
  auto tail = static_cast<std::uint8_t>(insn.length - insn.rip_displacement - 4);
  links_.push_back({start + insn.rip_displacement, Link::To::Address, tail, address});
}

Code::Tick Code::count(std::uint32_t program, bool flags_live) {
  if (!flags_live) {
    place(program, Phase::Untaken);
    raw({0x65, 0x48, 0xff, 0x0c, 0x25});  // decq %gs:kCounter
    word32(TaskArea::kCounter);
    place(program, Phase::Counted);
    return {hop(0x74), false};  // jz
  }
  place(program, Phase::Untaken);
  raw({0x65, 0x48, 0x89, 0x0c, 0x25});  // mov %rcx,%gs:kScratchRcx
  word32(TaskArea::kScratchRcx);
  place(program, Phase::Scratch);
  raw({0x65, 0x48, 0x8b, 0x0c, 0x25});  // mov %gs:kCounter,%rcx
  word32(TaskArea::kCounter);
  raw({0x48, 0x8d, 0x49, 0xff});        // lea -1(%rcx),%rcx
  raw({0x65, 0x48, 0x89, 0x0c, 0x25});  // mov %rcx,%gs:kCounter
  word32(TaskArea::kCounter);
  place(program, Phase::Rescued);
  std::uint32_t out = hop(0xe3);        // jrcxz
  raw({0x65, 0x48, 0x8b, 0x0c, 0x25});  // mov %gs:kScratchRcx,%rcx
  word32(TaskArea::kScratchRcx);
  place(program, Phase::Counted);
  return {out, true};
}

void Code::slow(Tick tick, std::uint32_t program, std::uint32_t stop) {
  land(tick.hop);
  if (tick.live) {
    place(program, Phase::Rescued);
    raw({0x65, 0x48, 0x8b, 0x0c, 0x25});  // mov %gs:kScratchRcx,%rcx
    word32(TaskArea::kScratchRcx);
  }
  place(program, Phase::Counted);
  leave(stop, kTickCommon);
}

std::uint32_t Code::count_and_loop(std::uint32_t program, std::int64_t again, std::uint32_t stop) {
  place(program, Phase::Untaken);
  raw({0x65, 0x48, 0xff, 0x0c, 0x25});  // decq %gs:kCounter
  word32(TaskArea::kCounter);
  place(program, Phase::Counted);
  jcc(0x5, Link::To::Here, again);  // jnz
  leave(stop, kTickCommon);
  std::uint32_t resume = size();
  jmp(Link::To::Here, again);
  return resume;
}

void Code::show_return(std::int64_t va) {
  raw({0x48, 0x8d, 0x0d});  // lea va(%rip),%rcx
  links_.push_back({size(), Link::To::Address, 0, va});
  word32(0);
}

void Code::leave(std::uint32_t stop, std::uint32_t common) {
  raw({0x65, 0xc7, 0x04, 0x25});  // movl $stop,%gs:kStop
  word32(TaskArea::kStop);
  word32(stop);
  jmp(Link::To::Common, common);
}

std::vector<std::uint8_t> common_code(std::uint32_t resumes) {
  Code code;
  auto area = [&](std::initializer_list<std::uint8_t> instruction, std::uint32_t offset) {
    code.raw(instruction);
    code.word32(offset);
  };
  auto part = [&](std::uint32_t at, std::uint32_t handler) {
    while (code.size() < at) code.raw({0xcc});
    area({0x65, 0x48, 0x89, 0x04, 0x25}, TaskArea::kScratchRax);  // mov %rax,%gs:kScratchRax
    area({0x65, 0x48, 0x89, 0x0c, 0x25}, TaskArea::kScratchRcx);  // mov %rcx,%gs:kScratchRcx
    area({0x48, 0x8d, 0x05}, 0u - (code.size() + 7));             // lea block(%rip),%rax
    area({0x65, 0x48, 0x89, 0x04, 0x25}, TaskArea::kBlock);       // mov %rax,%gs:kBlock
    area({0x65, 0x8b, 0x0c, 0x25}, TaskArea::kStop);              // mov %gs:kStop,%ecx
    area({0x8b, 0x8c, 0x88}, resumes);                            // mov resumes(%rax,%rcx,4),%ecx
    code.raw({0x48, 0x8d, 0x04, 0x08});                           // lea (%rax,%rcx),%rax
    area({0x65, 0x48, 0x89, 0x04, 0x25}, TaskArea::kResume);      // mov %rax,%gs:kResume
    area({0x65, 0x48, 0x8b, 0x0c, 0x25}, TaskArea::kScratchRcx);  // mov %gs:kScratchRcx,%rcx
    area({0x65, 0x48, 0x8b, 0x04, 0x25}, TaskArea::kScratchRax);  // mov %gs:kScratchRax,%rax
    area({0x65, 0xff, 0x24, 0x25}, handler);                      // jmp *%gs:handler
  };
  part(kTickCommon, TaskArea::kTickHandler);
  part(kSpecialCommon, TaskArea::kSpecialHandler);
  while (code.size() < kUndoAt) code.raw({0xcc});
  return std::move(code.bytes());
}

std::uint8_t condition_of(const CodeMap& code, const Insn& insn) {
  Bytes bytes = code.bytes(insn);
  return bytes[insn.opcode + (insn.kind == Kind::JccNear ? 1u : 0u)] & 0x0f;
}

}  // namespace tmrec::patch
