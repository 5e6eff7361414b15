#include "tests/fuzz/event_damage.h"

#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <stdexcept>

#include <fmt/format.h>

#include "format/codec.h"
#include "format/syscall_record.h"
#include "replayer/stub.h"

namespace tmrec::fuzz {

namespace {

using Offset = std::ptrdiff_t;

bool manages_memory(std::uint64_t number) {
  constexpr std::array kCalls = {SYS_mmap,   SYS_mprotect, SYS_munmap, SYS_brk,
                                 SYS_mremap, SYS_madvise,  SYS_shmat,  SYS_shmdt};
  return std::ranges::count(kCalls, static_cast<long>(number)) != 0;
}

// Memory management is really performed at replay, so half of the damage goes there.
std::size_t pick(const std::vector<Event>& events, Random& random) {
  const std::size_t any = random.below(events.size());
  if (random.below(2) == 0) return any;
  for (std::size_t i = 0; i < events.size(); ++i) {
    const std::size_t at = (any + i) % events.size();
    const auto* call = std::get_if<SyscallEvent>(&events[at].body);
    if (call == nullptr || manages_memory(call->regs.orig_rax)) return at;
  }
  return any;
}

template <class T>
T* one_of(std::vector<T>& list, Random& random) {
  return list.empty() ? nullptr : &list[random.below(list.size())];
}

void damage_registers(Regs& regs, Random& random) {
  const std::uint64_t number = evil_number(random);
  std::memcpy(reinterpret_cast<char*>(&regs) + 8 * random.below(kRegisterCount), &number, sizeof number);
}

void damage_extent(std::vector<Extent>& extents, Random& random) {
  Extent* extent = one_of(extents, random);
  if (extent == nullptr) return;
  switch (random.below(4)) {
    case 0:
      extent->addr = RemoteAddr(evil_number(random));
      break;
    case 1:
      extent->bytes.resize(random.below(1 << 20));
      break;
    case 2:
      extent->input = !extent->input;
      break;
    default:
      extent->bytes = mutated({extent->bytes}, random);
      break;
  }
}

void damage_call(SyscallEvent& call, Random& random) {
  switch (random.below(9)) {
    case 0:
      damage_registers(call.regs, random);
      break;
    case 1:
      call.ret = static_cast<std::int64_t>(evil_number(random));
      break;
    case 2:
      damage_extent(call.extents, random);
      break;
    case 3:
      call.phase = static_cast<SyscallEvent::Phase>(random.below(3));
      break;
    case 4: {
      call.after = call.regs;
      damage_registers(*call.after, random);
      break;
    }
    case 5:
      call.xstate.assign(random.below(4096), static_cast<std::uint8_t>(random.next()));
      break;
    case 6: {
      if (!call.mapping) call.mapping.emplace();
      call.mapping->kind = static_cast<MapSource::Kind>(random.below(3));
      call.mapping->backing = BackingId(static_cast<std::uint32_t>(random.below(5)));
      call.mapping->offset = evil_number(random);
      call.mapping->size = evil_number(random);
      break;
    }
    case 7:
      call.changes.push_back({BackingId(static_cast<std::uint32_t>(random.below(5))), evil_number(random),
                              Bytes(random.below(100), 1), evil_number(random)});
      break;
    default:
      call.stream = static_cast<Stream>(random.below(3));
      call.ret = static_cast<std::int64_t>(evil_number(random));
      break;
  }
}

void damage_body(Event& event, Random& random) {
  if (auto* call = std::get_if<SyscallEvent>(&event.body)) return damage_call(*call, random);
  if (auto* clone = std::get_if<CloneEvent>(&event.body)) {
    clone->flags ^= std::uint64_t{1} << random.below(64);
    if (random.below(2) == 0) clone->child = Tid(static_cast<std::int32_t>(random.next()));
    if (random.below(2) == 0) damage_registers(clone->child_regs, random);
    return damage_extent(clone->child_memory, random);
  }
  if (auto* check = std::get_if<CheckEvent>(&event.body)) {
    if (auto* range = one_of(check->ranges, random)) {
      (random.below(2) == 0 ? range->start : range->end) = RemoteAddr(evil_number(random));
    }
    return;
  }
  if (auto* signal = std::get_if<SignalEvent>(&event.body)) {
    if (random.below(2) == 0) damage_registers(signal->after, random);
    if (random.below(2) == 0) signal->frame.addr = RemoteAddr(evil_number(random));
    if (random.below(2) == 0) signal->synchronous = !signal->synchronous;
    return;
  }
  if (auto* exec = std::get_if<ExecEvent>(&event.body)) {
    constexpr std::array kNames = {"../../../../etc/passwd", "manifest.json", "log", "", ".", "snapshot-9-9.core"};
    exec->snapshot = kNames[random.below(kNames.size())];
  } else if (auto* attach = std::get_if<AttachEvent>(&event.body)) {
    if (auto* thread = one_of(attach->threads, random)) damage_registers(thread->regs, random);
    if (auto* advice = one_of(attach->fork_advice, random)) advice->start = RemoteAddr(evil_number(random));
  } else if (auto* start = std::get_if<StartEvent>(&event.body)) {
    StartEvent::Process* const process = one_of(start->processes, random);
    if (process == nullptr) return;
    if (auto* thread = one_of(process->threads, random)) {
      damage_registers(thread->regs, random);
      if (random.below(4) == 0) thread->area = RemoteAddr(evil_number(random));
      if (random.below(4) == 0) thread->scratch.resize(random.below(80));
    }
    if (auto* module = one_of(process->modules, random))
      (random.below(2) == 0 ? module->text : module->block) = RemoteAddr(evil_number(random));
  } else if (auto* ended = std::get_if<ExitEvent>(&event.body)) {
    ended->memory.push_back({RemoteAddr(evil_number(random)), Bytes(8, 0), false});
  } else if (auto* instruction = std::get_if<InstructionEvent>(&event.body)) {
    damage_registers(instruction->after, random);
  }
}

// A record whose bytes behind the head are damaged; as they are when they can't be decoded.
Bytes damaged_bytes(const Bytes& record, Random& random) {
  RecordHead head;
  std::memcpy(static_cast<void*>(&head), record.data(), sizeof head);
  const Bytes body = mutated({Bytes(record.begin() + sizeof head, record.end())}, random);
  Bytes damaged(sizeof head + body.size());
  head.size = static_cast<std::uint32_t>(damaged.size());
  std::memcpy(damaged.data(), &head, sizeof head);
  std::ranges::copy(body, damaged.begin() + sizeof head);
  return damaged;
}

void rearrange(std::vector<Event>& events, std::size_t at, Random& random) {
  switch (random.below(4)) {
    case 0:
      events.erase(events.begin() + static_cast<Offset>(at));
      break;
    case 1:
      events.insert(events.begin() + static_cast<Offset>(random.below(events.size())), Event(events[at]));
      break;
    case 2:
      std::swap(events[at].body, events[random.below(events.size())].body);
      break;
    default:
      events[at].tid = random.below(2) == 0 ? Tid(static_cast<std::int32_t>(random.next()))
                                            : events[random.below(events.size())].tid;
  }
}

}  // namespace

std::uint64_t evil_number(Random& random) {
  constexpr std::uint64_t kStub = replayer::kStubPage;
  constexpr std::array<std::uint64_t, 20> kNumbers = {0,
                                                      1,
                                                      4095,
                                                      4096,
                                                      0x10000,
                                                      0x400000,
                                                      0x1000000,
                                                      0x555555554000,
                                                      0x7ffff7fc0000,
                                                      0x7ffffffde000,
                                                      0x7ffffffff000,
                                                      0x800000000000,
                                                      0xffff800000000000,
                                                      kStub,
                                                      kStub + 4096,
                                                      kStub - 4096,
                                                      std::uint64_t{1} << 40,
                                                      INT64_MAX,
                                                      0xffffffff,
                                                      UINT64_MAX - 4095};
  std::uint64_t number = kNumbers[random.below(kNumbers.size())];
  if (random.below(4) == 0) number += random.below(8192) - 4096;
  return number;
}

std::vector<Bytes> damaged_records(const std::vector<Event>& sound, Random& random, std::string& what) {
  std::vector<Event> events = sound;
  std::vector<std::size_t> raw;
  for (std::size_t n = random.below(3) + 1; n > 0 && events.size() > 1; --n) {
    const std::size_t at = pick(events, random);
    what += fmt::format("{}event {}", what.empty() ? "" : ", ", at + 1);
    const std::size_t kind = random.below(8);
    if (kind == 0) {
      what += " rearranged";
      rearrange(events, at, random);
    } else if (kind < 3) {
      what += " in its bytes";
      raw.push_back(at);
    } else {
      damage_body(events[at], random);
    }
  }
  std::vector<Bytes> records;
  for (std::size_t i = 0; i < events.size(); ++i) {
    events[i].no = EventNo(i + 1);
    Bytes& record = records.emplace_back();
    if (!encode(events[i], record)) throw std::runtime_error("an event cannot be encoded");
    if (std::ranges::count(raw, i) != 0) record = damaged_bytes(record, random);
  }
  return records;
}

}  // namespace tmrec::fuzz
