// System calls in a row, repeated by the agent in the stub (tracee/agent/calls.cc) without a stop for each.
//
// Several recorded calls of one task, with nothing else between them, are laid out in memory that the stub shares. The
// agent compares each with what the program does, registers, ticks and what the call reads, and does what the kernel
// did. At the first that differs, and behind the last, the task stops; what was not repeated takes the usual way, which
// repeats the comparison and says what differs. So a task never runs beyond what the log knows of it.
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

#include <fmt/format.h>

#include "format/call_record.h"
#include "replayer/session.h"
#include "syscalls/decide.h"
#include "tracee/agent/buffered.h"

namespace tmrec::replayer {

namespace {

constexpr std::size_t kWorthIt = 3;       // calls; a batch costs about two stops
constexpr std::size_t kMostCalls = 2048;  // bounds what is read ahead

std::size_t size_of(const SyscallEvent& event) {
  std::size_t size = sizeof(CallRecord) + sizeof(CallWords);
  for (const Extent& extent : event.extents) size += sizeof(CallExtent) + padded_to_word(extent.bytes.size());
  return size;
}

CallWords words_of(const Regs& r) {
  return {{r.orig_rax, r.rbx, r.rdx, r.rsi, r.rdi, r.rbp, r.rsp, r.r8, r.r9, r.r10, r.r12, r.r13, r.r14, r.r15,
           r.rip - 2, r.eflags, 0}};
}

// With all words, and room for what `size` says.
std::uint8_t* write_record(std::uint8_t* at, const SyscallEvent& event, std::uint64_t ticks_left, std::size_t size) {
  const CallWords words = words_of(event.regs);
  CallRecord record{};
  record.size = static_cast<std::uint32_t>(size);
  record.changed = (1u << kCallWords) - 1;
  record.extents = static_cast<std::uint32_t>(event.extents.size());
  record.ret = event.ret;
  record.ticks_left = ticks_left;
  std::memcpy(at, &record, sizeof record);
  std::memcpy(at + sizeof record, &words, sizeof words);
  at += sizeof record + sizeof words;
  for (const Extent& extent : event.extents) {
    const CallExtent head{extent.addr.value, static_cast<std::uint32_t>(extent.bytes.size()), extent.input};
    std::memcpy(at, &head, sizeof head);
    std::memcpy(at + sizeof head, extent.bytes.data(), extent.bytes.size());
    at += sizeof head + padded_to_word(extent.bytes.size());
  }
  return at;
}

}  // namespace

Result<bool> Session::read_ahead() {
  TMREC_TRY(std::optional<Event> event, log_.next());
  if (event) ahead_.push_back(std::move(*event));
  return event.has_value();
}

// A call whose effects are its result and the memory it wrote, made where patched code or the vdso comes to the agent.
bool Session::may_batch(const Task& task, const Event& event) const {
  const auto* call = std::get_if<SyscallEvent>(&event.body);
  if (call == nullptr || event.tid != task.tid || call->phase != SyscallEvent::Phase::Complete) return false;
  const bool plain = call->stream == Stream::None && call->extents.size() <= CallRecord::kMostExtents &&
                     !call->mapping && call->changes.empty() && !call->after && call->xstate.empty() &&
                     !(syscalls::was_interrupted(call->ret) && call->ret != -EINTR);
  if (!plain || call->regs.orig_rax > agent::number::kMost) return false;
  if (agent::buffering_of(static_cast<std::uint32_t>(call->regs.orig_rax)) == agent::Buffering::Never) return false;
  const std::uint64_t at = call->regs.rip - 2;
  return task.space->is_vdso(at) || task.space->patches.with_block(at) != nullptr;
}

Result<void> Session::open_ring(Task& task) {
  if (ring_ == nullptr) {
    ring_file_ = Fd(memfd_create("tmrec-calls", MFD_CLOEXEC));
    if (!ring_file_ || ftruncate(ring_file_.get(), agent::kRingSize) < 0)
      return fail_errno("cannot create a memory file");
    void* memory = mmap(nullptr, agent::kRingSize, PROT_READ | PROT_WRITE, MAP_SHARED, ring_file_.get(), 0);
    if (memory == MAP_FAILED) return fail_errno("cannot map a memory file");
    ring_ = static_cast<std::uint8_t*>(memory);
  }
  return task.space->install_calls(*task.stub, ring_file_.get());
}

// As many of the next events as form a batch; `calls`: how many.
Result<void> Session::fill_ring(Task& task, std::size_t& calls) {
  std::uint8_t* const begin = ring_ + sizeof(agent::RingHeader);
  std::uint8_t* at = begin;
  for (calls = 0; calls < kMostCalls; ++calls) {
    if (calls == ahead_.size()) {
      TMREC_TRY(const bool more, read_ahead());
      if (!more) break;
    }
    const Event& event = ahead_[calls];
    if (!may_batch(task, event)) break;
    const auto& call = std::get<SyscallEvent>(event.body);
    const std::size_t size = size_of(call);
    if (at + size > ring_ + agent::kRingSize || event.ticks.value > task.counted_from) break;
    at = write_record(at, call, task.counted_from - event.ticks.value, size);
  }
  agent::RingHeader header{};
  header.used = static_cast<std::uint64_t>(at - begin);
  std::memcpy(ring_, &header, offsetof(agent::RingHeader, slots));
  return {};
}

// True: at least one event was applied.
Result<bool> Session::step_in_batch() {
  Task* const task = find(ahead_.front().tid);
  if (task == nullptr || task->area.value == 0 || task->counter || task->in_call || task->restarts || !task->stub)
    return false;
  for (std::size_t i = 0; i < kWorthIt; ++i) {
    if (i == ahead_.size()) {
      TMREC_TRY(const bool more, read_ahead());
      if (!more) return false;
    }
    if (!may_batch(*task, ahead_[i])) return false;
  }
  try {
    TMREC_CHECKED(open_ring(*task));
    std::size_t calls = 0;
    TMREC_CHECKED(fill_ring(*task, calls));
    recent_.push_back(ahead_[calls - 1]);  // what patience goes by
    const tracee::RemoteMemory& memory = task->space->memory();
    agent::Conduct conduct;
    conduct.buffers = agent::kRepeats;
    agent::set_conduct(memory, task->area, conduct);
    auto reached = run(*task);
    agent::set_conduct(memory, task->area, {});
    recent_.pop_back();
    if (!reached) {
      recent_.push_back(ahead_.front());
      return std::unexpected(reached.error());
    }
    agent::RingHeader header;
    std::memcpy(static_cast<void*>(&header), ring_, offsetof(agent::RingHeader, slots));
    if (header.repeated_calls > calls) return fail(ErrorKind::Desync, "the program writes to the agent's memory");
    TMREC_CHECKED(leave_batch(*task, header.repeated_calls, *reached));
    return header.repeated_calls > 0;
  } catch (const tracee::TaskDied&) {
    return fail(ErrorKind::Desync, fmt::format("the replayed task {} is gone; it should be there", task->tid.value));
  } catch (const tracee::ImpossibleState& state) {
    return fail(ErrorKind::BadTrace, fmt::format("event {}: {}", ahead_.front().no.value, state.what));
  }
}

// The task goes on from where the first call that was not repeated can be made again.
Result<void> Session::leave_batch(Task& task, std::size_t calls, const Reached& reached) {
  for (std::size_t i = 0; i < calls; ++i) {
    now_ = ahead_.front().no;
    task.last_event_ns = ahead_.front().time_ns;
    recent_.push_back(std::move(ahead_.front()));
    if (recent_.size() > kRecentEvents) recent_.pop_front();
    ahead_.pop_front();
  }
  switch (reached.question) {
    case agent::Question::Returned:
    case agent::Question::Call: {
      TMREC_TRY(const agent::Asked at, asked(task));
      task.regs = at.regs;
      return {};
    }
    case agent::Question::Tick:
    case agent::Question::Special:
    case agent::Question::Baton:
    case agent::Question::Script:
      return fail(
          ErrorKind::Desync,
          fmt::format("expected a system call, came to a {} at {:#x}",
                      reached.question == agent::Question::Tick ? "tick" : "special instruction", task.regs.rip));
    case agent::Question::None:
      break;
  }
  if (reached.stop.kind == tracee::Stop::Kind::Syscall) {
    task.regs.rip -= 2;
    task.regs.rax = task.regs.orig_rax;
  }
  return {};
}

}  // namespace tmrec::replayer
