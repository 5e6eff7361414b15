// System calls that the agent performs itself, without a stop.
//
// Problem: a ptrace stop costs a hundred times a cheap system call. Solution: code inside the program makes the call,
// and appends what the supervisor would have recorded (registers, what the call read, what the kernel wrote) to memory
// that the supervisor shares and empties whenever the task stops. One task of the recording runs at a time, so the
// records of all are in order. A call that would wait is made without the baton, which others have meanwhile
// (hand_over.h). What the supervisor keeps track of is its business: perform() returns false, and the task asks.
// Rejected: guessing at a call that may wait and taking it back, which is possible for none that changes anything.
//
// Runs on a stack of its own, with the program's vector registers and thread pointer: general registers only.
#include "syscalls/capture.h"
#include "syscalls/decide.h"
#include "syscalls/effects.h"
#include "tracee/agent/buffered.h"
#include "tracee/agent/clock.h"
#include "tracee/agent/hand_over.h"
#include "tracee/agent/layout.h"
#include "tracee/agent/special.h"
#include "tracee/agent/writing.h"

using namespace tmrec;  // NOLINT(google-build-using-namespace): one translation unit, nobody includes it

extern "C" {
// Called by the compiler.
void* memcpy(void* to, const void* from, std::size_t size) {
  void* at = to;
  asm volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(size) : : "memory");
  return to;
}
void* memset(void* to, int value, std::size_t size) {
  void* at = to;
  asm volatile("rep stosb" : "+D"(at), "+c"(size) : "a"(value) : "memory");
  return to;
}
}

namespace {

using namespace agent;
using syscalls::Call;

std::int64_t perform_call(const Call& call) { return tmrec_agent_syscall(call.nr, call.args); }

std::uint32_t* entry_of(std::uint64_t fd) {
  const auto number = static_cast<std::uint32_t>(fd);
  return number < kMaxFds ? reinterpret_cast<std::uint32_t*>(kFds) + number : nullptr;
}

FdClass class_of(std::uint64_t fd) {
  const std::uint32_t* entry = entry_of(fd);
  const std::uint32_t generation = reinterpret_cast<const RingHeader*>(kRing)->generation;
  if (entry == nullptr || *entry >> kClassBits != generation) return FdClass::Unknown;
  return static_cast<FdClass>(*entry & ((1u << kClassBits) - 1));
}

void forget(std::uint64_t fd) {
  if (std::uint32_t* entry = entry_of(fd)) *entry = 0;
}

void learn(std::int64_t fd, FdClass is) {
  const std::uint32_t generation = reinterpret_cast<const RingHeader*>(kRing)->generation;
  if (std::uint32_t* entry = entry_of(static_cast<std::uint64_t>(fd))) {
    *entry = generation << kClassBits | static_cast<std::uint32_t>(is);
  }
}

struct PollFd {
  std::int32_t fd;
  std::int16_t events, revents;
};
constexpr std::int16_t kPollIn = 1, kPollOut = 4;

bool is_ready(std::uint64_t fd, std::int16_t events) {
  PollFd one{static_cast<std::int32_t>(fd), events, 0};
  return perform_call({number::kPoll, {reinterpret_cast<std::uint64_t>(&one), 1, 0}}) > 0 &&
         (one.revents & events) == events;
}

// What a call may transfer, in bytes.
std::uint64_t transfer_of(const Call& call, LocalMemory& memory) {
  switch (call.nr) {
    case number::kReadv:
    case number::kPreadv:
    case number::kWritev: {
      std::uint64_t sum = 0;
      syscalls::each_iovec(memory, call.args[1], call.args[2], kLargestTransfer + 1,
                           [&](std::uint64_t, std::uint64_t n) { sum += n; });
      return sum;
    }
    case number::kRecvmsg:
    case number::kSendmsg: {
      syscalls::abi::Msghdr message{};
      std::uint64_t sum = 0;
      if (!syscalls::fetch(memory, call.args[1], message)) return kLargestTransfer + 1;
      syscalls::each_iovec(memory, message.iov, message.iovlen, kLargestTransfer + 1,
                           [&](std::uint64_t, std::uint64_t n) { sum += n; });
      return sum + message.controllen;
    }
    default:
      return call.args[2];
  }
}

// Whether a call is made here.
enum class Answer { No, Yes, Waits };
Answer yes_if(bool may) { return may ? Answer::Yes : Answer::No; }

Answer may_receive(const Call& call) {
  switch (class_of(call.args[0])) {
    case FdClass::File:
    case FdClass::ReadOnly:
    case FdClass::NoWait:
      return Answer::Yes;
    case FdClass::Stream:
      return is_ready(call.args[0], kPollIn) ? Answer::Yes : Answer::Waits;
    default:
      return Answer::No;
  }
}

Answer may_read(const Call& call, LocalMemory& memory) {
  return transfer_of(call, memory) > kLargestTransfer ? Answer::No : may_receive(call);
}

// A pipe or socket that is ready takes a page without waiting (fs/pipe.c; net/core/stream.c).
bool may_write(const Call& call, LocalMemory& memory) {
  switch (class_of(call.args[0])) {
    case FdClass::File:
    case FdClass::NoWait:
      return true;
    case FdClass::Stream:
      return transfer_of(call, memory) <= kPage && is_ready(call.args[0], kPollOut);
    default:
      return false;
  }
}

struct FileStatus {
  std::uint64_t device, inode, links;
  std::uint32_t mode;
  std::uint8_t rest[syscalls::abi::kStat - 28];
};
constexpr std::uint32_t kFileType = 0170000, kRegular = 0100000, kDirectory = 0040000;

std::uint64_t flags_of_open(const Call& call) { return call.nr == number::kOpenat ? call.args[2] : call.args[1]; }

// Whether calls about descriptors may be made here, and what they do to what is known.
// Opening a FIFO or a device may wait, if not told not to; a file or a directory does not.
bool may_open(const Call& call) {
  constexpr std::uint64_t kTruncates = 01000, kNonBlocking = 04000, kDirect = 040000,
                          kCwd = static_cast<std::uint64_t>(-100);
  const bool at = call.nr == number::kOpenat;
  if ((flags_of_open(call) & (kTruncates | kDirect)) != 0) return false;
  if ((flags_of_open(call) & kNonBlocking) != 0) return true;
  FileStatus file;
  const Call look{
      number::kNewfstatat,
      {at ? call.args[0] : kCwd, at ? call.args[1] : call.args[0], reinterpret_cast<std::uint64_t>(&file), 0}};
  const std::int64_t failed = perform_call(look);
  return failed != 0 || (file.mode & kFileType) == kRegular || (file.mode & kFileType) == kDirectory;
}

// What the call has opened, so that the supervisor need not look at it when it is read. Files of /proc tell of tmrec.
void learn_opened(const Call& call, std::int64_t fd) {
  constexpr std::uint64_t kAccess = 3, kDirectoryOnly = 0200000, kPath = 010000000, kReads = 0;
  if (fd < 0 || (flags_of_open(call) & (kAccess | kDirectoryOnly | kPath)) != kReads) return;
  FileStatus file;
  const auto number = static_cast<std::uint64_t>(fd);
  if (perform_call({number::kFstat, {number, reinterpret_cast<std::uint64_t>(&file)}}) != 0) return;
  if ((file.mode & kFileType) != kRegular) return;
  constexpr std::uint64_t kAnonymous = 0, kMajor = 0xfff00;  // of what is on no disk; linux/kdev_t.h, new_encode_dev
  if ((file.device & kMajor) != kAnonymous) return learn(fd, FdClass::ReadOnly);
  constexpr std::uint64_t kProcMagic = 0x9fa0;  // PROC_SUPER_MAGIC, linux/magic.h
  std::uint64_t system[syscalls::abi::kStatfs / 8];
  if (perform_call({number::kFstatfs, {number, reinterpret_cast<std::uint64_t>(system)}}) != 0) return;
  if (system[0] != kProcMagic) learn(fd, FdClass::ReadOnly);
}

void learn_accepted(const Call& call, std::int64_t fd) {
  constexpr std::uint64_t kNonBlocking = 04000;
  if (fd < 0) return;
  learn(fd, call.nr == number::kAccept4 && (call.args[3] & kNonBlocking) != 0 ? FdClass::NoWait : FdClass::Stream);
}

bool may_control(const Call& call) {
  switch (call.args[1] & 0xffffffff) {
    case 0:     // F_DUPFD
    case 1:     // F_GETFD
    case 2:     // F_SETFD
    case 3:     // F_GETFL
    case 1030:  // F_DUPFD_CLOEXEC
      return true;
    default:
      return false;
  }
}

bool may_ioctl(const Call& call) {
  switch (call.args[1] & 0xffffffff) {
    case 0x5401:  // TCGETS
    case 0x541b:  // FIONREAD
    case 0x5450:  // FIONCLEX
    case 0x5451:  // FIOCLEX
      return true;
    default:
      return false;
  }
}

// Waits only while the word has the value.
Answer may_use_futex(const Call& call, LocalMemory& memory) {
  const auto decision = syscalls::decide(call);
  if (decision.policy != syscalls::Policy::Record) return Answer::No;
  if (decision.blocking == syscalls::Blocking::Never) return Answer::Yes;
  constexpr std::uint64_t kCommand = 0x7f, kWait = 0, kWaitBitset = 9;
  const std::uint64_t command = call.args[1] & kCommand;
  std::uint32_t word = 0;
  if ((command != kWait && command != kWaitBitset) || !syscalls::fetch(memory, call.args[0], word)) return Answer::No;
  return word == static_cast<std::uint32_t>(call.args[2]) ? Answer::Waits : Answer::Yes;
}

constexpr std::uint64_t kSigsysBit = std::uint64_t{1} << 30;

bool may_mask_signals(const Call& call, LocalMemory& memory) {
  constexpr std::uint64_t kUnblock = 1;
  if (call.args[1] == 0 || call.args[0] == kUnblock) return true;
  std::uint64_t set = 0;
  return syscalls::fetch(memory, call.args[1], set) && (set & kSigsysBit) == 0;
}

// Of signals, for as long as the call waits: SIGSYS may be among them.
bool has_mask(const Call& call, LocalMemory& memory) {
  switch (call.nr) {
    case number::kEpollPwait:
      return call.args[4] != 0;
    case number::kPpoll:
      return call.args[3] != 0;
    case number::kPselect: {  // select(2): a pointer to the mask, and its size
      std::uint64_t mask = 0;
      return call.args[5] != 0 && (!syscalls::fetch(memory, call.args[5], mask) || mask != 0);
    }
    default:
      return false;
  }
}

// It may have looked whether the call would wait.
Answer may_perform(const Call& call, LocalMemory& memory) {
  switch (buffering_of(call.nr)) {
    case Buffering::Never:
      return Answer::No;
    case Buffering::Plain: {
      const auto decision = syscalls::decide(call);
      return yes_if(decision.policy == syscalls::Policy::Record && decision.blocking == syscalls::Blocking::Never);
    }
    case Buffering::Read:
      return may_read(call, memory);
    case Buffering::Write:
      return yes_if(may_write(call, memory));
    case Buffering::Accept:
      return may_receive(call);
    case Buffering::Open:
      return yes_if(may_open(call));
    case Buffering::Fcntl:
      return yes_if(may_control(call));
    case Buffering::Ioctl:
      return yes_if(may_ioctl(call));
    case Buffering::Futex:
      return may_use_futex(call, memory);
    case Buffering::Mask:
      return yes_if(may_mask_signals(call, memory));
    case Buffering::Action:
      return yes_if(call.args[0] != 31);  // SIGSYS
    case Buffering::Close:
      forget(call.args[0]);
      return Answer::Yes;
    case Buffering::Dup:
      forget(call.args[1]);
      return Answer::Yes;
    case Buffering::Sleep:
      return has_mask(call, memory) ? Answer::No : Answer::Waits;
    case Buffering::Wait:
      return yes_if(!has_mask(call, memory));
    case Buffering::Silent:
    case Buffering::Yield:
      return Answer::Yes;
  }
  return Answer::Yes;
}

// How much room the record of a call may take, at most.
struct Room {
  std::uint64_t bytes = 4096;  // what a bound on its results does not say
  void input(std::uint64_t, std::uint64_t) {}
  void output(std::uint64_t, std::uint64_t size) { bytes += size + sizeof(CallExtent) + 8; }
};

// epoll_wait and poll: with a time-out of 0, without a trace of it when nothing is ready. False: the call would wait.
bool look(const Call& call, LocalMemory& memory, std::int64_t& ret) {
  Call now = call;
  if (call.nr == number::kPoll || call.nr == number::kPpoll) {
    constexpr std::uint64_t kMost = 64;
    PollFd copies[kMost];
    if (call.args[1] > kMost || !memory.read(call.args[0], copies, call.args[1] * sizeof copies[0])) return false;
    now = {number::kPoll, {reinterpret_cast<std::uint64_t>(copies), call.args[1], 0}};
    if (perform_call(now) == 0) return false;
    now.args[0] = call.args[0];
  } else {
    now.args[3] = 0;
  }
  ret = perform_call(now);
  return ret != 0;
}

bool never_waits(const Call& call) {
  return (call.nr == number::kPoll && static_cast<std::int32_t>(call.args[2]) == 0) ||
         ((call.nr == number::kEpollWait || call.nr == number::kEpollPwait) &&
          static_cast<std::int32_t>(call.args[3]) == 0);
}

bool same_inputs(LocalMemory& memory, const CallExtent& extent, const std::uint8_t* bytes) {
  std::uint8_t piece[256];
  for (std::uint32_t done = 0; done < extent.size;) {
    const std::uint32_t n =
        extent.size - done < sizeof piece ? extent.size - done : static_cast<std::uint32_t>(sizeof piece);
    if (!memory.read(extent.addr + done, piece, n)) return false;
    for (std::uint32_t i = 0; i < n; ++i) {
      if (piece[i] != bytes[done + i]) return false;
    }
    done += n;
  }
  return true;
}

template <class F>
bool each_extent(const CallRecord& record, std::uint64_t at, F&& f) {
  for (std::uint32_t i = 0; i < record.extents; ++i) {
    const auto& extent = *reinterpret_cast<const CallExtent*>(at);
    if (!f(extent, reinterpret_cast<const std::uint8_t*>(at + sizeof extent))) return false;
    at += sizeof extent + padded_to_word(extent.size);
  }
  return true;
}

// Replay: the call is the recorded one if registers, ticks and what it reads are the same; then its memory is written
// and its result is the recorded one. Otherwise the replayer has a look. (fs_base is of the log's doing.)
std::uint64_t repeat(Area& area) {
  auto& header = *reinterpret_cast<RingHeader*>(kRing);
  if (header.repeated >= header.used) return 0;
  const std::uint64_t begin = kRing + sizeof header + header.repeated;
  const auto& record = *reinterpret_cast<const CallRecord*>(begin);
  std::uint64_t at = begin + sizeof record;
  CallWords recorded = header.last;
  for (std::size_t i = 0; i < kCallWords; ++i) {
    if ((record.changed >> i & 1) == 0) continue;
    recorded.at[i] = *reinterpret_cast<const std::uint64_t*>(at);
    at += sizeof(std::uint64_t);
  }
  const CallWords here = words_of(area, false);
  for (std::size_t i = 0; i < static_cast<std::size_t>(CallWord::FsBase); ++i) {
    if (here.at[i] != recorded.at[i]) return 0;
  }
  if (record.ticks_left != ticks_left(area)) return 0;
  LocalMemory memory;
  const bool reads_same = each_extent(record, at, [&](const CallExtent& extent, const std::uint8_t* bytes) {
    return extent.is_input == 0 || same_inputs(memory, extent, bytes);
  });
  const bool repeated =
      reads_same && each_extent(record, at, [](const CallExtent& extent, const std::uint8_t* bytes) {
        return extent.is_input != 0 || tmrec_agent_copy(reinterpret_cast<void*>(extent.addr), bytes, extent.size) == 0;
      });
  if (!repeated) return 0;
  header.last = recorded;
  header.repeated += record.size;
  ++header.repeated_calls;
  if (header.repeated == header.used) area.conduct.ask = 1;
  area.call.rax = static_cast<std::uint64_t>(record.ret);
  return 1;
}

struct Record {
  Record(const Call& of, LocalMemory& in)
      : call(of), memory(in), signature(syscalls::signature(of)), notes(syscalls::note_entry(signature, of, in)) {}

  void finish(Area& area, Recorder& recorder, std::int64_t ret, RecordKind kind = RecordKind::Complete) {
    if (buffering_of(call.nr) == Buffering::Accept) learn_accepted(call, ret);
    syscalls::capture_outputs(signature, call, notes, ret, memory, recorder);
    recorder.commit(area, ret, kind);
    area.call.rax = static_cast<std::uint64_t>(ret);
  }

  const Call& call;
  LocalMemory& memory;
  const syscalls::Signature signature;
  const syscalls::EntryNotes notes;
};

// The task has the baton, and nobody knows yet.
void note_new_holder(Baton& baton) {
  auto& header = *reinterpret_cast<RingHeader*>(kRing);
  auto& record = *reinterpret_cast<CallRecord*>(kRing + sizeof header + header.used);
  record = {};
  record.size = sizeof record | static_cast<std::uint32_t>(RecordKind::Switch);
  record.ret = baton.index();
  baton.note_new_holder();
  asm volatile("" : : : "memory");
  header.used += sizeof record;
}

// Makes a call that waits, without the baton. False: not made, the supervisor is to be asked. `room`: bytes that its
// results take in a record, at most.
bool wait(Area& area, Record& call, Recorder& begun, std::uint64_t room) {
  if (area.conduct.slot == 0) return false;
  Baton baton(area);
  const std::uint64_t changes = baton.changes();
  if (!baton.is_mine()) return false;
  const bool can_give = baton.may_be_given_away();
  if (!begun.commit_enter(area)) return false;
  can_give ? baton.give_away() : baton.have_given_away();
  const std::int64_t ret = tmrec_agent_wait(call.call.nr, call.call.args, &baton.state(), &area.result);
  if (!baton.take()) {
    area.call.rax = static_cast<std::uint64_t>(ret);
    store(baton.state(), SlotState::Runs);
    return true;
  }
  if (!baton.is_new_holder() && baton.changes() == changes) {
    begun.reopen();
    call.finish(area, begun, ret);
  } else {
    const auto& header = *reinterpret_cast<const RingHeader*>(kRing);
    if (header.used + room + sizeof(CallRecord) + sizeof(CallWords) > header.room) tmrec_agent_ask();
    if (baton.is_new_holder()) note_new_holder(baton);
    Recorder ended(area);
    call.finish(area, ended, ret, RecordKind::Exit);
  }
  store(baton.state(), SlotState::Runs);
  return true;
}

// Emptied in time, the ring takes most calls. One that finds it full is the supervisor's, which takes four stops.
void make_room() {
  constexpr std::uint64_t kUsual = 8192;
  const auto& header = *reinterpret_cast<const RingHeader*>(kRing);
  const std::uint64_t wanted = header.room / 2 < kUsual ? header.room / 2 : kUsual;
  if (header.used + wanted > header.room) tmrec_agent_ask();
}

// With a chance for all that wait for the baton: those that the agent cannot give it to are the supervisor's.
bool may_yield(const Area& area) { return area.conduct.slot != 0 && Baton(area).may_be_given_away(); }

// Behind a call that has been recorded.
void yield(Area& area) {
  Baton baton(area);
  area.result = area.call.rax;
  if (!baton.offer() || !baton.take()) return store(baton.state(), SlotState::Runs);
  const auto& header = *reinterpret_cast<const RingHeader*>(kRing);
  if (header.used + sizeof(CallRecord) > header.room) tmrec_agent_ask();
  if (baton.is_new_holder()) note_new_holder(baton);
  store(baton.state(), SlotState::Runs);
}

}  // namespace

// What is to be done at `call.rip` (entry.S). kDone: performed, and recorded; the result is in `call.rax`.
extern "C" std::uint64_t tmrec_agent_perform(Area* area) {
  const SavedRegs& regs = area->call;
  if (*reinterpret_cast<const std::uint16_t*>(regs.rip) != kSyscallBytes) return perform_special(*area);
  if (area->conduct.buffers == kRepeats) return repeat(*area);
  if (area->conduct.ask != 0 || area->conduct.calls_left == 0 || regs.rax > number::kMost) return kAskCall;
  --area->conduct.calls_left;
  const bool asks_clock = regs.rax == number::kClockGettime || regs.rax == number::kGettimeofday;
  if (asks_clock) make_room();
  if (asks_clock && read_clock(*area) == kDone) return kDone;
  const Call call{static_cast<std::uint32_t>(regs.rax), {regs.rdi, regs.rsi, regs.rdx, regs.r10, regs.r8, regs.r9}};
  const Buffering kind = buffering_of(call.nr);
  if (kind == Buffering::Never) return kAskCall;
  if ((area->conduct.specials & kLeavesFiles) != 0 && looks_at_files(call.nr)) return kAskCall;
  make_room();
  Recorder recorder(*area);
  if (kind == Buffering::Yield && !may_yield(*area)) return kAskCall;
  if (kind == Buffering::Silent || kind == Buffering::Yield) {
    if (recorder.overflowed()) return kAskCall;
    const std::int64_t ret = perform_call(call);
    recorder.commit(*area, ret);
    area->call.rax = static_cast<std::uint64_t>(ret);
    if (kind == Buffering::Yield) yield(*area);
    return kDone;
  }
  LocalMemory memory;
  Answer answer = may_perform(call, memory);
  if (answer == Answer::No) return kAskCall;

  Record record{call, memory};
  syscalls::capture_inputs(record.signature, call, memory, recorder);
  Room room;
  syscalls::capture_outputs(record.signature, call, record.notes, syscalls::abi::kMaxTransfer, memory, room);
  if (recorder.overflowed() || !recorder.has_room(room.bytes)) return kAskCall;
  std::int64_t ret = 0;
  if (kind == Buffering::Wait && !never_waits(call)) {
    if (!look(call, memory, ret)) answer = Answer::Waits;
  } else if (answer == Answer::Yes) {
    ret = perform_call(call);
  }
  if (answer == Answer::Waits) return wait(*area, record, recorder, room.bytes) ? kDone : kAskCall;
  if (kind == Buffering::Open) learn_opened(call, ret);
  record.finish(*area, recorder, ret);
  return kDone;
}
