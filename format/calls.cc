#include "format/calls.h"

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include "format/codec.h"
#include "format/syscall_record.h"

namespace tmrec {

namespace {

// Behind the RecordHead.
struct BatchHead {
  std::uint32_t count = 0;
  std::uint32_t has_fs_base = 0;  // 0 or 1
  std::uint64_t counted_from = 0;
  Regs frame;
  CallWords before;
};
static_assert(sizeof(BatchHead) == 16 + sizeof(Regs) + sizeof(CallWords));

std::unexpected<Error> bad(std::string_view what) { return fail(ErrorKind::BadTrace, std::string(what)); }

template <class T>
bool take(std::span<const std::uint8_t>& from, T& value) {
  if (from.size() < sizeof value) return false;
  std::memcpy(static_cast<void*>(&value), from.data(), sizeof value);
  from = from.subspan(sizeof value);
  return true;
}

Result<std::vector<Extent>> extents_of(const CallView& call) {
  std::vector<Extent> extents;
  std::span rest = call.extents;
  for (std::uint32_t i = 0; i < call.record.extents; ++i) {
    CallExtent head{};
    if (!take(rest, head) || head.is_input > 1) return bad("a recorded call lacks its memory");
    const std::uint64_t padded = padded_to_word(head.size);
    if (rest.size() < padded) return bad("a recorded call lacks its memory");
    extents.push_back({RemoteAddr(head.addr), Bytes(rest.data(), rest.data() + head.size), head.is_input == 1});
    rest = rest.subspan(padded);
  }
  if (!rest.empty()) return bad("a recorded call has bytes left over");
  return extents;
}

// As the kernel has them at the entry of a call.
Regs regs_of(const CallBatch& batch, const CallWords& words) {
  Regs regs = batch.frame;
  using enum CallWord;
  regs.rbx = words[Rbx], regs.rdx = words[Rdx], regs.rsi = words[Rsi], regs.rdi = words[Rdi];
  regs.rbp = words[Rbp], regs.rsp = words[Rsp], regs.r8 = words[R8], regs.r9 = words[R9], regs.r10 = words[R10];
  regs.r12 = words[R12], regs.r13 = words[R13], regs.r14 = words[R14], regs.r15 = words[R15];
  regs.rax = static_cast<std::uint64_t>(-ENOSYS);
  regs.orig_rax = words[Number];
  regs.rip = regs.rcx = words[Rip] + 2;
  regs.eflags = regs.r11 = words[Flags];
  if (batch.has_fs_base) regs.fs_base = words[FsBase];
  return regs;
}

}  // namespace

Result<CallView> take_call(std::span<const std::uint8_t>& rest, CallWords& words) {
  CallView call{};
  std::span from = rest;
  if (!take(from, call.record)) return bad("a recorded call is cut off");
  const std::uint32_t size = call.record.size;
  if (size < sizeof call.record || size > rest.size() || size % 8 != 0) return bad("a recorded call has no such size");
  from = from.first(size - sizeof call.record);
  for (std::size_t i = 0; i < kCallWords; ++i) {
    if ((call.record.changed >> i & 1) != 0 && !take(from, words.at[i])) return bad("a recorded call is cut off");
  }
  call.extents = from;
  rest = rest.subspan(size);
  return call;
}

bool encode(const CallBatch& batch, Bytes& out) {
  const std::size_t start = out.size(), size = sizeof(RecordHead) + sizeof(BatchHead) + batch.records.size();
  if (size > kMaxRecord) return false;
  RecordHead head;
  head.size = static_cast<std::uint32_t>(size);
  head.kind = kCallsKind;
  head.tid = batch.tid.value;
  head.number = batch.first.value;
  head.time_ns = batch.time_ns;
  const BatchHead body{batch.count, batch.has_fs_base ? 1u : 0u, batch.counted_from, batch.frame, batch.before};
  out.resize(start + sizeof head + sizeof body);
  std::memcpy(out.data() + start, &head, sizeof head);
  std::memcpy(out.data() + start + sizeof head, static_cast<const void*>(&body), sizeof body);
  out.insert(out.end(), batch.records.begin(), batch.records.end());
  return true;
}

bool is_call_batch(std::span<const std::uint8_t> record) {
  return record.size() > offsetof(RecordHead, kind) && record[offsetof(RecordHead, kind)] == kCallsKind;
}

Result<CallBatchReader> CallBatchReader::open(std::span<const std::uint8_t> record) {
  RecordHead head;
  BatchHead body;
  if (!take(record, head) || !take(record, body)) return bad("a record of calls is cut off");
  if (body.count == 0 || body.count > record.size() / sizeof(CallRecord) || body.has_fs_base > 1)
    return bad(fmt::format("event {} is damaged: a record of calls makes no sense", head.number));
  return CallBatchReader({EventNo(head.number), Tid(head.tid), head.time_ns, body.counted_from, body.has_fs_base == 1,
                          body.frame, body.before, body.count, record});
}

Result<Event> CallBatchReader::next() {
  Event event;
  event.no = EventNo(batch_.first.value + given_);
  event.tid = batch_.tid;
  event.time_ns = batch_.time_ns;
  const auto damaged = [&](const Error& error) {
    return fail(error.kind, fmt::format("event {} is damaged: {}", event.no.value, error.text));
  };
  const auto call = take_call(batch_.records, batch_.before);
  if (!call) return damaged(call.error());
  auto extents = extents_of(*call);
  if (!extents) return damaged(extents.error());
  event.ticks = Ticks(batch_.counted_from - call->record.ticks_left);
  SyscallEvent body;
  body.regs = regs_of(batch_, batch_.before);
  body.ret = call->record.ret;
  body.extents = std::move(*extents);
  event.body = std::move(body);
  if (++given_ == batch_.count && !batch_.records.empty()) return damaged({ErrorKind::BadTrace, "bytes are left over"});
  return event;
}

void find_extents(std::span<const std::uint8_t> record, std::size_t least, std::vector<ExtentPlace>& places) {
  // So many that `rest` begins with. `padded`: what an extent of this size takes.
  const auto find = [&]<class Head>(std::span<const std::uint8_t> rest, std::uint32_t count, std::uint32_t Head::*size,
                                    auto padded) {
    for (Head head{}; count != 0 && take(rest, head); --count) {
      const std::uint64_t taken = padded(head.*size);
      if (rest.size() < taken) return;
      if (head.*size >= least) places.push_back({static_cast<std::size_t>(rest.data() - record.data()), head.*size});
      rest = rest.subspan(taken);
    }
  };
  std::span rest = record;
  RecordHead head;
  if (!take(rest, head)) return;
  if (head.kind == kSyscallKind) {
    SyscallRecord call;
    if (take(rest, call)) find(rest, call.extents, &ExtentHead::len, [](std::uint64_t size) { return size; });
  } else if (BatchHead body; head.kind == kCallsKind && take(rest, body)) {
    while (!rest.empty()) {
      const auto call = take_call(rest, body.before);
      if (!call) return;
      find(call->extents, call->record.extents, &CallExtent::size, padded_to_word);
    }
  }
}

}  // namespace tmrec
