#include "format/codec.h"

#include <fmt/format.h>

#include <algorithm>
#include <concepts>

#include "format/syscall_record.h"
#include "format/wire.h"

// The fields of every structure, in their order on disk. A change here is a new format version (format/log.h).
namespace tmrec::wire {

template <class A, class Tag, class Rep>
void serialize(A& ar, Strong<Tag, Rep>& v) {
  ar(v.value);
}
template <class A>
void serialize(A& ar, RemoteAddr& v) {
  ar(v.value);
}
template <class A>
void serialize(A& ar, Regs& v) {
  ar.raw(&v, sizeof v);
}
template <class A>
void serialize(A& ar, BlobId& v) {
  ar(v.hex);
}
template <class A>
void serialize(A& ar, Extent& v) {
  ar(v.addr, v.bytes, v.input);
}
template <class A>
void serialize(A& ar, MapSource& v) {
  ar(Enumerator{v.kind, MapSource::Kind::File}, v.backing, v.blob, v.offset, v.size, v.path);
}
template <class A>
void serialize(A& ar, FileChange& v) {
  ar(v.backing, v.offset, v.bytes, v.new_size);
}
template <class A>
void serialize(A& ar, SwitchEvent& v) {
  ar(Enumerator{v.reason, SwitchEvent::Reason::Stopped}, v.to);
}
template <class A>
void serialize(A& ar, SignalEvent& v) {
  ar(Enumerator{v.action, SignalEvent::Action::Stop}, v.signo, v.siginfo, v.synchronous, v.at_syscall, v.before,
     v.after, v.frame, v.xstate);
}
template <class A>
void serialize(A& ar, CloneEvent& v) {
  ar(v.child, v.child_process, v.flags, v.child_regs, v.child_memory, v.child_ticks);
}
template <class A>
void serialize(A& ar, ExecEvent& v) {
  ar(v.snapshot, v.program, v.arguments, v.former, v.counted);
}
template <class A>
void serialize(A& ar, ExitEvent& v) {
  ar(v.status, v.process_ended, v.memory);
}
template <class A>
void serialize(A& ar, InstructionEvent& v) {
  ar(Enumerator{v.kind, InstructionEvent::Kind::Other}, v.before, v.after);
}
template <class A>
void serialize(A& ar, CheckEvent::Range& v) {
  ar(v.start, v.end, v.hash);
}
template <class A>
void serialize(A& ar, CheckEvent& v) {
  ar(v.regs, v.ranges);
}
template <class A>
void serialize(A& ar, EndEvent& v) {
  ar(v.reason);
}
template <class A>
void serialize(A& ar, TickEvent& v) {
  ar(v.regs);
}
template <class A>
void serialize(A& ar, PatchEvent& v) {
  ar(Enumerator{v.kind, PatchEvent::Kind::Unmapped}, v.text, v.block, v.plan, v.module);
}
template <class A>
void serialize(A& ar, AttachEvent::Thread& v) {
  ar(v.tid, v.regs, v.xstate, v.ticks);
}
template <class A>
void serialize(A& ar, AttachEvent::ForkAdvice& v) {
  ar(v.start, v.size, v.advice);
}
template <class A>
void serialize(A& ar, AttachEvent& v) {
  ar(v.process, v.snapshot, v.program, v.arguments, v.threads, v.fork_advice, v.counted);
}
template <class A>
void serialize(A& ar, StartEvent::Thread& v) {
  ar(v.tid, v.regs, v.xstate, v.ticks, v.area, v.scratch, v.in_call, v.restarts);
}
template <class A>
void serialize(A& ar, StartEvent::Module& v) {
  ar(v.text, v.block, v.plan, v.module, v.undone);
}
template <class A>
void serialize(A& ar, StartEvent::Process& v) {
  ar(v.process, v.snapshot, v.program, v.arguments, v.threads, v.fork_advice, v.modules, v.counted);
}
template <class A>
void serialize(A& ar, StartEvent& v) {
  ar(v.processes, v.first);
}
template <class A>
void serialize(A& ar, GapEvent& v) {
  ar(v.reason);
}
template <class A>
void serialize(A& ar, Mapping& v) {
  ar(v.start, v.end, v.prot, v.shared, v.grows_down, v.source, v.name);
}
// Without `pages`: those are the core file's segments.
template <class A>
void serialize(A& ar, Snapshot& v) {
  ar(v.task, v.process, v.regs, v.xstate, v.mappings, v.auxv, v.executable, v.arguments, v.brk_start, v.brk,
     v.stack_limit, v.personality);
}

// A field that is added to a structure must be added here, or the compiler says so.
static_assert(sizeof(Extent) == 40 && sizeof(BlobId) == 32 && sizeof(MapSource) == 88 && sizeof(FileChange) == 56);
static_assert(sizeof(SyscallEvent) == 664 && sizeof(SwitchEvent) == 8 && sizeof(SignalEvent) == 536);
static_assert(sizeof(CloneEvent) == 264 && sizeof(ExecEvent) == 96 && sizeof(ExitEvent) == 32);
static_assert(sizeof(InstructionEvent) == 440 && sizeof(CheckEvent) == 240 && sizeof(CheckEvent::Range) == 24);
static_assert(sizeof(TickEvent) == 216 && sizeof(PatchEvent) == 88 && sizeof(AttachEvent) == 152);
static_assert(sizeof(AttachEvent::Thread) == 256 && sizeof(AttachEvent::ForkAdvice) == 24);
static_assert(sizeof(StartEvent) == 32 && sizeof(StartEvent::Process) == 176 && sizeof(StartEvent::Module) == 88);
static_assert(sizeof(StartEvent::Thread) == 296);
static_assert(sizeof(EndEvent) == 32 && sizeof(GapEvent) == 32 && sizeof(Event) == 704 && sizeof(Mapping) == 144 && sizeof(Snapshot) == 408);

// The part of a SyscallEvent that few calls have.
struct Attachment {
  SyscallEvent& event;
};
template <class A>
void serialize(A& ar, Attachment& v) {
  ar(v.event.mapping, v.event.changes, v.event.after, v.event.xstate, v.event.stream_bytes);
}

}  // namespace tmrec::wire

namespace tmrec {
namespace {

using Span = std::span<const std::uint8_t>;

static_assert(std::is_same_v<std::variant_alternative_t<kSyscallKind - 1, EventBody>, SyscallEvent>);

RecordHead head_of(const Event& event) {
  RecordHead head;
  head.kind = static_cast<std::uint8_t>(event.body.index() + 1);
  head.tid = event.tid.value;
  head.number = event.no.value;
  head.ticks = event.ticks.value;
  head.time_ns = event.time_ns;
  return head;
}

bool has_attachment(const SyscallEvent& e) {
  return e.mapping || !e.changes.empty() || e.after || !e.xstate.empty() || !e.stream_bytes.empty();
}

bool encode_syscall(const Event& event, const SyscallEvent& call, Bytes& out, std::size_t limit) {
  Bytes attachment;
  if (has_attachment(call)) {
    wire::Output ar(attachment);
    // Saving does not write; cereal's serialize() wants one signature for both directions.
    ar(wire::Attachment{const_cast<SyscallEvent&>(call)});
  }
  std::size_t size = sizeof(RecordHead) + sizeof(SyscallRecord) + attachment.size();
  for (const Extent& e : call.extents) size += sizeof(ExtentHead) + e.bytes.size();
  if (size > limit) return false;

  SyscallRecord record;
  record.phase = static_cast<std::uint8_t>(call.phase);
  record.stream = static_cast<std::uint8_t>(call.stream);
  record.flags = call.noted ? SyscallRecord::kNoted : 0;
  record.ret = call.ret;
  record.regs = call.regs;

  const std::size_t start = out.size();
  out.resize(start + size);
  RecordWriter writer(out.data() + start, size);
  bool fits = writer.begin(head_of(event), record);
  for (const Extent& e : call.extents)
    fits = fits && writer.extent(e.addr.value, e.bytes.data(), e.bytes.size(), e.input);
  if (!attachment.empty()) fits = fits && writer.attachment(attachment.data(), attachment.size());
  if (fits && writer.finish() == size) return true;
  out.resize(start);
  return false;
}

// Fixed-layout input: structures as they lie in memory.
class Cursor {
 public:
  explicit Cursor(Span in) : in_(in) {}

  template <class T>
  T get() {
    T v;
    const Span from = bytes(sizeof v);
    std::memcpy(static_cast<void*>(&v), from.data(), sizeof v);
    return v;
  }
  Span bytes(std::size_t n) {
    if (n > in_.size()) throw cereal::Exception("ends too early");
    const Span head = in_.first(n);
    in_ = in_.subspan(n);
    return head;
  }
  std::size_t left() const { return in_.size(); }

 private:
  Span in_;
};

void expect(bool holds, const char* complaint) {
  if (!holds) throw cereal::Exception(complaint);
}

SyscallEvent decode_syscall(Cursor& in) {
  const auto record = in.get<SyscallRecord>();
  expect(record.phase <= static_cast<std::uint8_t>(SyscallEvent::Phase::Exit), "unknown phase of a system call");
  expect(record.stream <= static_cast<std::uint8_t>(Stream::Stderr), "unknown output stream");
  expect((record.flags & ~SyscallRecord::kNoted) == 0 && record.reserved == 0 && record.reserved2 == 0,
         "unknown flags");
  expect(record.extents <= in.left() / sizeof(ExtentHead), "more memory extents than fit");

  SyscallEvent call;
  call.phase = static_cast<SyscallEvent::Phase>(record.phase);
  call.stream = static_cast<Stream>(record.stream);
  call.noted = (record.flags & SyscallRecord::kNoted) != 0;
  call.ret = record.ret;
  call.regs = record.regs;
  call.extents.reserve(record.extents);
  for (std::uint32_t i = 0; i < record.extents; ++i) {
    const auto extent = in.get<ExtentHead>();
    expect(extent.input <= 1 && (extent.reserved[0] | extent.reserved[1] | extent.reserved[2]) == 0, "unknown flags");
    const Span bytes = in.bytes(extent.len);
    call.extents.push_back({RemoteAddr(extent.addr), Bytes(bytes.begin(), bytes.end()), extent.input == 1});
  }
  expect(record.attachment_size == in.left(), "the size of an attachment is wrong");
  if (record.attachment_size != 0) {
    wire::Input ar(in.bytes(record.attachment_size));
    ar(wire::Attachment{call});
    expect(ar.left() == 0, "bytes are left over");
  }
  return call;
}

template <std::size_t kIndex = 1>
EventBody decode_other(std::uint8_t kind, Span body) {
  if constexpr (kIndex == std::variant_size_v<EventBody>) {
    throw cereal::Exception("unknown kind of event");
  } else {
    if (kind != kIndex + 1) return decode_other<kIndex + 1>(kind, body);
    std::variant_alternative_t<kIndex, EventBody> event;
    wire::Input ar(body);
    ar(event);
    expect(ar.left() == 0, "bytes are left over");
    return event;
  }
}

}  // namespace

bool encode(const Event& event, Bytes& out, std::size_t limit) {
  limit = std::min(limit, kMaxRecord);
  if (const auto* call = std::get_if<SyscallEvent>(&event.body)) return encode_syscall(event, *call, out, limit);
  const std::size_t start = out.size();
  out.resize(start + sizeof(RecordHead));
  wire::Output ar(out);
  std::visit(
      [&]<class Body>(const Body& body) {
        if constexpr (!std::is_same_v<Body, SyscallEvent>) ar(body);
      },
      event.body);
  if (out.size() - start > limit) {
    out.resize(start);
    return false;
  }
  RecordHead head = head_of(event);
  head.size = static_cast<std::uint32_t>(out.size() - start);
  std::memcpy(out.data() + start, &head, sizeof head);
  return true;
}

Result<std::size_t> record_size(Span bytes) {
  std::uint32_t size = 0;
  if (bytes.size() < sizeof size) return fail(ErrorKind::BadTrace, "an event record is cut off");
  std::memcpy(&size, bytes.data(), sizeof size);
  if (size < sizeof(RecordHead) || size > kMaxRecord || size > bytes.size())
    return fail(ErrorKind::BadTrace, fmt::format("an event record has the impossible size {}", size));
  return size;
}

Result<Event> decode(Span record) {
  TMREC_TRY(const std::size_t size, record_size(record));
  if (size != record.size()) return fail(ErrorKind::BadTrace, "an event record is followed by other bytes");
  Cursor in(record);
  const auto head = in.get<RecordHead>();
  try {
    expect((head.reserved[0] | head.reserved[1] | head.reserved[2]) == 0 && head.reserved2 == 0, "unknown flags");
    Event event;
    event.no = EventNo(head.number);
    event.tid = Tid(head.tid);
    event.ticks = Ticks(head.ticks);
    event.time_ns = head.time_ns;
    if (head.kind == kSyscallKind) {
      event.body = decode_syscall(in);
    } else {
      event.body = decode_other(head.kind, in.bytes(in.left()));
    }
    return event;
  } catch (const std::exception& e) {
    return fail(ErrorKind::BadTrace, fmt::format("event {} is damaged: {}", head.number, e.what()));
  }
}

Bytes encode_snapshot_note(const Snapshot& snapshot) {
  Bytes out;
  wire::Output ar(out);
  ar(snapshot);
  return out;
}

Result<Snapshot> decode_snapshot_note(Span bytes) {
  try {
    Snapshot snapshot;
    wire::Input ar(bytes);
    ar(snapshot);
    expect(ar.left() == 0, "bytes are left over");
    return snapshot;
  } catch (const std::exception& e) {
    return fail(ErrorKind::BadTrace, fmt::format("the snapshot's note is damaged: {}", e.what()));
  }
}

}  // namespace tmrec
