#include "tests/unit/format/samples.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace tmrec::samples {

namespace fs = std::filesystem;

namespace {

Regs regs(std::uint64_t from) {
  Regs r;
#define X(name) r.name = from++;
  TMREC_REGISTERS(X)
#undef X
  return r;
}

Bytes bytes(std::size_t n, std::uint8_t from) {
  Bytes b(n);
  for (std::size_t i = 0; i < n; ++i) b[i] = static_cast<std::uint8_t>(from + i * 7);
  return b;
}

MapSource file_source() {
  return {MapSource::Kind::File, BackingId(4), {std::string(32, 'a')}, 8192, 123456, "/usr/lib/libexample.so"};
}

SyscallEvent plain_call() {
  SyscallEvent e;
  e.regs = regs(1000);
  e.ret = -2;
  e.extents = {{RemoteAddr(0x7fff0010), bytes(33, 1), true}, {RemoteAddr(0x5555000), {}, false}};
  return e;
}

SyscallEvent full_call() {
  SyscallEvent e;
  e.phase = SyscallEvent::Phase::Exit;
  e.regs = regs(2000);
  e.ret = 0x7f0000001000;
  e.extents = {{RemoteAddr(0x7fff0010), bytes(300, 9), false}};
  e.stream = Stream::Stderr;
  e.stream_bytes = bytes(12, 60);
  e.mapping = file_source();
  e.changes = {{BackingId(7), 4096, bytes(20, 3), 9999}, {BackingId(8), 1, {}, std::nullopt}};
  e.after = regs(3000);
  e.xstate = bytes(576, 5);
  e.noted = true;
  return e;
}

SignalEvent handled_signal() {
  SignalEvent e;
  e.action = SignalEvent::Action::Stop;
  e.signo = 10;
  e.siginfo = bytes(128, 2);
  e.synchronous = true;
  e.at_syscall = true;
  e.before = regs(4000);
  e.after = regs(5000);
  e.frame = {RemoteAddr(0x7ffe1000), bytes(440, 8), true};
  e.xstate = bytes(832, 6);
  return e;
}

// Structured bindings fail to compile when a structure gets another field: the comparison then wants that field too.
bool same(const Extent& a, const Extent& b) {
  const auto& [addr, content, input] = a;
  return addr == b.addr && content == b.bytes && input == b.input;
}
bool same(const MapSource& a, const MapSource& b) {
  const auto& [kind, backing, blob, offset, size, path] = a;
  return kind == b.kind && backing == b.backing && blob == b.blob && offset == b.offset && size == b.size &&
         path == b.path;
}
bool same(const FileChange& a, const FileChange& b) {
  const auto& [backing, offset, content, new_size] = a;
  return backing == b.backing && offset == b.offset && content == b.bytes && new_size == b.new_size;
}
bool same(const CheckEvent::Range& a, const CheckEvent::Range& b);
bool same(const TickEvent& a, const TickEvent& b) {
  const auto& [r] = a;
  return r == b.regs;
}
bool same(const PatchEvent& a, const PatchEvent& b) {
  const auto& [kind, text, block, plan, module] = a;
  return kind == b.kind && text == b.text && block == b.block && plan == b.plan && module == b.module;
}
bool same(const Mapping& a, const Mapping& b);
bool same(const AttachEvent::Thread& a, const AttachEvent::Thread& b);
bool same(const AttachEvent::ForkAdvice& a, const AttachEvent::ForkAdvice& b);
bool same(const StartEvent::Thread& a, const StartEvent::Thread& b);
bool same(const StartEvent::Module& a, const StartEvent::Module& b);
bool same(const StartEvent::Process& a, const StartEvent::Process& b);

template <class T>
bool same(const std::vector<T>& a, const std::vector<T>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!same(a[i], b[i])) return false;
  }
  return true;
}
bool same(const SyscallEvent& a, const SyscallEvent& b) {
  const auto& [phase, r, ret, extents, stream, stream_bytes, mapping, changes, after, xstate, noted] = a;
  return phase == b.phase && r == b.regs && ret == b.ret && same(extents, b.extents) && stream == b.stream &&
         stream_bytes == b.stream_bytes && mapping.has_value() == b.mapping.has_value() &&
         (!mapping || same(*mapping, *b.mapping)) && same(changes, b.changes) && after == b.after &&
         xstate == b.xstate && noted == b.noted;
}
bool same(const SwitchEvent& a, const SwitchEvent& b) {
  const auto& [reason, to] = a;
  return reason == b.reason && to == b.to;
}
bool same(const SignalEvent& a, const SignalEvent& b) {
  const auto& [action, signo, siginfo, synchronous, at_syscall, before, after, frame, xstate] = a;
  return action == b.action && signo == b.signo && siginfo == b.siginfo && synchronous == b.synchronous &&
         at_syscall == b.at_syscall && before == b.before && after == b.after && same(frame, b.frame) &&
         xstate == b.xstate;
}
bool same(const CloneEvent& a, const CloneEvent& b) {
  const auto& [child, process, flags, r, memory, ticks] = a;
  return child == b.child && process == b.child_process && flags == b.flags && r == b.child_regs &&
         same(memory, b.child_memory) && ticks == b.child_ticks;
}
bool same(const ExecEvent& a, const ExecEvent& b) {
  const auto& [name, program, arguments, former, counted] = a;
  return name == b.snapshot && program == b.program && arguments == b.arguments && former == b.former &&
         counted == b.counted;
}
bool same(const ExitEvent& a, const ExitEvent& b) {
  const auto& [status, ended, memory] = a;
  return status == b.status && ended == b.process_ended && same(memory, b.memory);
}
bool same(const InstructionEvent& a, const InstructionEvent& b) {
  const auto& [kind, before, after] = a;
  return kind == b.kind && before == b.before && after == b.after;
}
bool same(const CheckEvent::Range& a, const CheckEvent::Range& b) {
  const auto& [start, end, hash] = a;
  return start == b.start && end == b.end && hash == b.hash;
}
bool same(const CheckEvent& a, const CheckEvent& b) {
  const auto& [r, ranges] = a;
  return r == b.regs && same(ranges, b.ranges);
}
bool same(const EndEvent& a, const EndEvent& b) {
  const auto& [reason] = a;
  return reason == b.reason;
}
bool same(const GapEvent& a, const GapEvent& b) {
  const auto& [reason] = a;
  return reason == b.reason;
}
bool same(const AttachEvent::Thread& a, const AttachEvent::Thread& b) {
  const auto& [tid, r, xstate, ticks] = a;
  return tid == b.tid && r == b.regs && xstate == b.xstate && ticks == b.ticks;
}
bool same(const AttachEvent::ForkAdvice& a, const AttachEvent::ForkAdvice& b) {
  const auto& [start, size, advice] = a;
  return start == b.start && size == b.size && advice == b.advice;
}
bool same(const AttachEvent& a, const AttachEvent& b) {
  const auto& [process, name, program, arguments, threads, fork_advice, counted] = a;
  return process == b.process && name == b.snapshot && program == b.program && arguments == b.arguments &&
         same(threads, b.threads) && same(fork_advice, b.fork_advice) && counted == b.counted;
}
bool same(const StartEvent::Thread& a, const StartEvent::Thread& b) {
  const auto& [tid, r, xstate, ticks, area, scratch, in_call, restarts] = a;
  return tid == b.tid && r == b.regs && xstate == b.xstate && ticks == b.ticks && area == b.area &&
         scratch == b.scratch && in_call == b.in_call && restarts == b.restarts;
}
bool same(const StartEvent::Module& a, const StartEvent::Module& b) {
  const auto& [text, block, plan, module, undone] = a;
  return text == b.text && block == b.block && plan == b.plan && module == b.module && undone == b.undone;
}
bool same(const StartEvent::Process& a, const StartEvent::Process& b) {
  const auto& [process, name, program, arguments, threads, fork_advice, modules, counted] = a;
  return process == b.process && name == b.snapshot && program == b.program && arguments == b.arguments &&
         same(threads, b.threads) && same(fork_advice, b.fork_advice) && same(modules, b.modules) &&
         counted == b.counted;
}
bool same(const StartEvent& a, const StartEvent& b) {
  const auto& [processes, first] = a;
  return same(processes, b.processes) && first == b.first;
}
bool same(const Mapping& a, const Mapping& b) {
  const auto& [start, end, prot, shared, grows_down, source, name] = a;
  return start == b.start && end == b.end && prot == b.prot && shared == b.shared && grows_down == b.grows_down &&
         same(source, b.source) && name == b.name;
}

}  // namespace

bool same(const Event& a, const Event& b) {
  const auto& [no, tid, ticks, time_ns, body] = a;
  if (no != b.no || tid != b.tid || ticks != b.ticks || time_ns != b.time_ns || body.index() != b.body.index())
    return false;
  return std::visit([&]<class Body>(const Body& left) { return same(left, std::get<Body>(b.body)); }, body);
}

bool same_but_pages(const Snapshot& a, const Snapshot& b) {
  const auto& [task, process, r, xstate, mappings, pages, auxv, executable, arguments, brk_start, brk, limit,
               personality] = a;
  return task == b.task && process == b.process && r == b.regs && xstate == b.xstate && same(mappings, b.mappings) &&
         auxv == b.auxv && executable == b.executable && arguments == b.arguments && brk_start == b.brk_start &&
         brk == b.brk && limit == b.stack_limit && personality == b.personality;
}

std::vector<Event> events() {
  std::vector<EventBody> bodies;
  bodies.emplace_back(ExecEvent{"snapshot-1-77.core", "/bin/ls", {"ls", "", "-l"}, Tid(78), true});
  bodies.emplace_back(plain_call());
  bodies.emplace_back(full_call());
  bodies.emplace_back(SwitchEvent{SwitchEvent::Reason::Stopped, Tid(79)});
  bodies.emplace_back(handled_signal());
  bodies.emplace_back(
      CloneEvent{Tid(80), Tid(77), 0x3d0f00, regs(6000), {{RemoteAddr(0x70), bytes(4, 1), false}}, Ticks(97)});
  bodies.emplace_back(
      ExitEvent{-7, true, {{RemoteAddr(0x80), bytes(4, 0), false}, {RemoteAddr(0x90), bytes(5, 2), true}}});
  bodies.emplace_back(InstructionEvent{InstructionEvent::Kind::Cpuid, regs(7000), regs(8000)});
  bodies.emplace_back(CheckEvent{regs(9000), {{RemoteAddr(0x1000), RemoteAddr(0x3000), 0xfeedfacecafe}, {}}});
  bodies.emplace_back(GapEvent{"a task computed for 1 s while another waited"});
  bodies.emplace_back(EndEvent{"the log could not be written"});
  bodies.emplace_back(TickEvent{regs(9500)});
  bodies.emplace_back(PatchEvent{PatchEvent::Kind::Undone,
                                 RemoteAddr(0x401000),
                                 RemoteAddr(0x300000),
                                 {std::string(32, 'b')},
                                 "/usr/lib/libz.so"});
  bodies.emplace_back(AttachEvent{Tid(77),
                                  "snapshot-12-77.core",
                                  "/usr/sbin/service",
                                  {"service", "-d"},
                                  {{Tid(77), regs(9600), bytes(64, 3), Ticks(5)}, {Tid(81), regs(9700), {}, Ticks(6)}},
                                  {{RemoteAddr(0x5000), 0x2000, 18}},
                                  true});
  bodies.emplace_back(StartEvent{
      {{Tid(77),
        "snapshot-13-77.core",
        "/usr/sbin/service",
        {"service"},
        {{Tid(77), regs(9800), bytes(64, 4), Ticks(7), RemoteAddr(0x550110060000), bytes(72, 5), true, false},
         {Tid(82), regs(9900), {}, Ticks(8), {}, {}, false, true}},
        {{RemoteAddr(0x6000), 0x1000, 10}},
        {{RemoteAddr(0x401000), RemoteAddr(0x300000), {std::string(32, 'c')}, "/usr/lib/libc.so", true}},
        true}},
      Tid(76)});
  static_assert(std::variant_size_v<EventBody> == 14, "a new kind of event wants a sample");
  std::vector<Event> out;
  for (EventBody& body : bodies) {
    const std::uint64_t no = out.size() + 1;
    out.push_back(
        {EventNo(no), Tid(static_cast<std::int32_t>(70 + no)), Ticks(no * 1000), no * 12345, std::move(body)});
  }
  return out;
}

namespace {

void put_word(Bytes& to, std::uint64_t word) {
  const auto* raw = reinterpret_cast<const std::uint8_t*>(&word);
  to.insert(to.end(), raw, raw + sizeof word);
}

void put_call(Bytes& to, std::uint32_t changed, const std::vector<std::uint64_t>& words,
              const std::vector<Extent>& extents, std::int64_t ret, std::uint64_t ticks_left) {
  const std::size_t start = to.size();
  CallRecord record{};
  record.changed = changed & ((1u << kCallWords) - 1);
  record.extents = static_cast<std::uint32_t>(extents.size()) & CallRecord::kMostExtents;
  record.ret = ret;
  record.ticks_left = ticks_left;
  to.resize(start + sizeof record);
  for (const std::uint64_t word : words) put_word(to, word);
  for (const Extent& extent : extents) {
    put_word(to, extent.addr.value);
    put_word(to, extent.bytes.size() | std::uint64_t{extent.input} << 32);
    to.insert(to.end(), extent.bytes.begin(), extent.bytes.end());
    to.resize(to.size() + (8 - extent.bytes.size() % 8) % 8);
  }
  record.size = static_cast<std::uint32_t>(to.size() - start);
  std::memcpy(to.data() + start, &record, sizeof record);
}

constexpr std::uint32_t kNumberBit = 1, kFlagsBit = 1u << static_cast<unsigned>(CallWord::Flags);

std::vector<Extent> extents_of_calls() {
  return {{RemoteAddr(0x7000), bytes(13, 5), true}, {RemoteAddr(0x8000), bytes(16, 6), false}};
}

}  // namespace

Bytes call_records() {
  Bytes records;
  put_call(records, kNumberBit | kFlagsBit, {17, 115}, extents_of_calls(), -2, 900);
  put_call(records, 0, {}, {}, 40, 900);
  put_call(records, kNumberBit, {17}, {}, 41, 800);
  return records;
}

CallBatch calls(const Bytes& records) {
  CallBatch batch;
  batch.tid = Tid(71);
  batch.time_ns = 123456789;
  batch.counted_from = 1000;
  batch.has_fs_base = true;
  batch.frame = regs(500);
  for (std::size_t i = 0; i < kCallWords; ++i) batch.before.at[i] = 100 + i;
  batch.before[CallWord::Flags] = 1;
  batch.count = 3;
  batch.records = records;
  return batch;
}

std::vector<Event> events_of_calls(std::uint64_t first) {
  std::vector<Event> events;
  for (std::uint64_t i = 0; i < 3; ++i) {
    Event event;
    event.no = EventNo(first + i);
    event.tid = Tid(71);
    event.time_ns = 123456789;
    event.ticks = Ticks(i < 2 ? 100 : 200);
    SyscallEvent call;
    call.regs = regs(500);
    call.regs.orig_rax = 17;
    call.regs.rax = static_cast<std::uint64_t>(-ENOSYS);
    call.regs.rbx = 101, call.regs.rdx = 102, call.regs.rsi = 103, call.regs.rdi = 104, call.regs.rbp = 105;
    call.regs.rsp = 106, call.regs.r8 = 107, call.regs.r9 = 108, call.regs.r10 = 109, call.regs.r12 = 110;
    call.regs.r13 = 111, call.regs.r14 = 112, call.regs.r15 = 113;
    call.regs.rip = call.regs.rcx = 114 + 2;
    call.regs.eflags = call.regs.r11 = 115;
    call.regs.fs_base = 116;
    call.ret = i == 0 ? -2 : static_cast<std::int64_t>(39 + i);
    if (i == 0) call.extents = extents_of_calls();
    event.body = std::move(call);
    events.push_back(std::move(event));
  }
  return events;
}

Snapshot snapshot() {
  Snapshot s;
  s.task = Tid(77);
  s.process = Tid(76);
  s.regs = regs(100);
  s.regs.rip = 0x401000;
  s.regs.rsp = 0x7fff00001000;
  s.regs.cs = 0x33;
  s.regs.ss = 0x2b;
  s.xstate = bytes(832, 0);
  s.mappings.push_back(
      {RemoteAddr(0x400000), RemoteAddr(0x404000), PROT_READ | PROT_EXEC, false, false, file_source(), "/bin/x"});
  s.mappings.push_back(
      {RemoteAddr(0x404000), RemoteAddr(0x406000), PROT_READ | PROT_WRITE, false, false, {}, "[heap]"});
  s.mappings.push_back({RemoteAddr(0x7ffe00000000),
                        RemoteAddr(0x7ffe00002000),
                        PROT_READ | PROT_WRITE,
                        true,
                        false,
                        {MapSource::Kind::SharedAnonymous, BackingId(2), {}, 4096, 8192, ""},
                        "/dev/zero"});
  s.mappings.push_back(
      {RemoteAddr(0x7fff00000000), RemoteAddr(0x7fff00003000), PROT_READ | PROT_WRITE, false, true, {}, "[stack]"});
  s.pages.push_back({RemoteAddr(0x401000), Bytes(kPageSize, 0), false});  // zeros that hide the file
  s.pages.push_back({RemoteAddr(0x403000), bytes(kPageSize, 3), false});
  s.pages.push_back({RemoteAddr(0x404000), bytes(2 * kPageSize, 4), false});
  Bytes stack = bytes(3 * kPageSize, 5);
  std::memset(stack.data() + kPageSize * 2, 0, kPageSize);
  s.pages.push_back({RemoteAddr(0x7fff00000000), stack, false});
  s.auxv = bytes(320, 1);
  std::memset(s.auxv.data() + 304, 0, 16);
  s.executable = "/bin/x";
  s.arguments = {"x", "--flag"};
  s.brk_start = 0x404000;
  s.brk = 0x405123;
  s.stack_limit = 8 << 20;
  s.personality = 0x40000;
  return s;
}

Manifest manifest() {
  Manifest m;
  m.created = 1700000000;
  m.hostname = "canary";
  m.kernel = "6.1.0";
  m.cpu = {"GenuineIntel", "A CPU", {"avx", "sse2"}, 0xe7, 2696, {{2, 576, 256}, {9, 2688, 8}}};
  m.command = {"ls", "", "\"quoted\"\n", "\xff\xfe not UTF-8"};
  m.program = "/bin/ls";
  m.cwd = "/tmp";
  m.uid = 1000;
  m.pid = Tid(77);
  m.tick_source = "software";
  m.agent_abi = 3;
  m.check_every = 10000;
  m.seed = UINT64_MAX;
  m.cpu_number = 3;
  m.cpuid_trapped = true;
  m.chaos = true;
  m.longest_without_tick_ns = 1'700'000'000;
  m.cpu_number = 3;
  m.blob_root = "../blobs";
  m.complete = true;
  m.end_reason = "disk full";
  m.exit_status = 137;
  m.events = 12;
  m.duration_ns = 34;
  m.refused = {{"io_uring_setup", 1}};
  m.notes = {{"rdtsc", 5}, {"ioctl 0x5401", 2}};
  return m;
}

TemporaryDirectory::TemporaryDirectory() {
  std::string name = (fs::temp_directory_path() / "tmrec-test-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp: " + name);
  path_ = name;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

Bytes contents(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void overwrite(const fs::path& path, const Bytes& bytes) {
  // A new file: ext4 writes a file that was truncated and filled again to disk at once (ext4(5), auto_da_alloc).
  fs::remove(path);
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

}  // namespace tmrec::samples
