// Signals.
//
// A synchronous one (SIGSEGV by an access) belongs to its instruction: it is delivered at once and replay raises it
// again by itself. An asynchronous one may come anywhere, but is delivered only where replay can find the place: at the
// exit of a system call, before the task has executed anything, at a tick, or in front of a call. One that comes in the
// middle of a computation is kept back to the next tick or call, whichever comes first; a call is put off, so that the
// handler runs as if the signal had come one instruction earlier. So is one that kills, since others may read what the
// task wrote before; one that is ignored or stops the task is delivered wherever it comes.
//
// A handler sees addresses of the program, never those of trampolines: before a signal is delivered, a task that stands
// in a trampoline is set to the place in the program that it stands for.
//
// What a handler gets (the frame, registers, extended state) is recorded after the kernel has built it, by stepping
// into the handler: with PTRACE_SINGLESTEP the kernel stops at the handler's first instruction.
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include <algorithm>
#include <cstring>
#include <iterator>

#include <fmt/format.h>

#include "recorder/task_life.h"
#include "tracee/agent/agent.h"
#include "tracee/instruction.h"
#include "tracee/proc.h"
#include "tracee/remote_call.h"

namespace tmrec::recorder {

using tracee::Resume;
using tracee::Stop;

namespace {

bool ignored_by_default(int signal) {
  return signal == SIGCHLD || signal == SIGCONT || signal == SIGURG || signal == SIGWINCH;
}

Bytes bytes_of(const siginfo_t& info) {
  const auto* raw = reinterpret_cast<const std::uint8_t*>(&info);
  return Bytes(raw, raw + sizeof info);
}

// What the kernel put on the stack: struct rt_sigframe and, above it, the extended state that it points to
// (arch/x86/kernel/signal_64.c, arch/x86/kernel/fpu/signal.c).
Extent read_frame(const tracee::RemoteMemory& memory, std::uint64_t rsp) {
  constexpr std::uint64_t kContext = 8;          // behind the return address
  constexpr std::uint32_t kMagic1 = 0x46505853;  // FP_XSTATE_MAGIC1, asm/sigcontext.h
  constexpr std::uint64_t kSoftwareBytes = 464;  // struct _fpx_sw_bytes in the legacy area
  constexpr std::uint64_t kLegacySize = 512;
  constexpr std::uint64_t kWithoutState = kContext + 304 + sizeof(siginfo_t);  // kernel's struct ucontext: 304
  std::uint64_t end = rsp + kWithoutState;
  auto state = memory.get<std::uint64_t>(RemoteAddr(rsp + kContext + offsetof(ucontext_t, uc_mcontext.fpregs)));
  if (state && *state != 0) {
    struct {
      std::uint32_t magic1, extended_size;
    } software{};
    std::uint64_t size = kLegacySize;
    if (memory.read(*state + kSoftwareBytes, &software, sizeof software) && software.magic1 == kMagic1) {
      size = software.extended_size;
    }
    if (*state > rsp && *state - rsp < 65536 && size < 65536) end = std::max(end, *state + size);
  }
  return Extent{RemoteAddr(rsp), memory.read_some(RemoteAddr(rsp), end - rsp), false};
}

}  // namespace

bool TaskLife::perform_trapped_instruction(const siginfo_t& info, const Regs& regs) {
  auto kind = tracee::trapped_instruction(info, regs, memory());
  if (!kind) return false;
  if (*kind != InstructionEvent::Kind::Cpuid && tsc_mode_ == PR_TSC_SIGSEGV) return false;  // as the program wished
  InstructionEvent event{*kind, regs, tracee::perform(*kind, regs)};
  session_.options().baseline.limit(event);
  stopped().set_regs(event.after);
  stand_at(event.after);
  session_.note(tracee::name_of(*kind));
  session_.append(tid(), std::move(event));
  at_event_ = true;
  return true;
}

int TaskLife::on_signal(const Stop& stop) {
  siginfo_t info = stopped().siginfo();
  if (is_interrupt(info)) return on_interrupt();
  if (auto answered = on_dispatch(info)) return *answered;
  Regs now = stopped().regs();
  // A deferred signal comes back as one sent by the kernel; it gets its own siginfo again.
  const bool returns = injected_ && injected_->si_signo == stop.signal && info.si_code == SI_KERNEL;
  if (returns) {
    info = *injected_;
    injected_.reset();
    stopped().set_siginfo(info);
  }
  if (info.si_signo == SIGSYS && process_->program_sigsys) {
    // One for the program, which has to get its own disposition back first.
    disown_sigsys();
    injected_ = info;
    return SIGSYS;
  }
  if (!returns && tracee::raised_by_instruction(info)) {
    if (end_failed_copy(info, now)) return 0;
    if (auto way_out = space_->patches.way_out(info, now)) {
      const bool nothing_executed = is_at_boundary(now);
      now.rip = way_out->value;
      stopped().set_regs(now);
      if (nothing_executed) boundary_.regs = now;
      return 0;
    }
    if (perform_trapped_instruction(info, now)) return 0;
    return deliver(info, true);
  }
  const SignalEvent::Action action = action_of(info.si_signo);
  // What a task writes before it dies, others may read: where it dies must be known, if it can be.
  const bool place_matters = action == SignalEvent::Action::Handler ||
                             (action == SignalEvent::Action::Fatal && (counts() || stops_anywhere()));
  // Others must not run while a task is in the agent, which may be writing down a call.
  const bool in_agent = conducts_ && agent::is_code(now.rip) && action == SignalEvent::Action::Stop;
  if (in_agent || (place_matters && !is_at_boundary(now))) {
    defer(info);
    if (const auto again = agent::before_commit(now.rip)) {
      now.rip = again->value;
      stopped().set_regs(now);
    }
    if (stops_anywhere()) return settle();
    if (!agent::will_look(now.rip)) stop_soon();
    return 0;
  }
  return deliver(info, false);
}

void TaskLife::defer(const siginfo_t& info) {
  if (deferred_.empty()) wait_from_now();
  deferred_.push_back(info);
  note_kept();
  ask_soon();
}

// Should the supervisor be killed, they are not lost (rescue.cc).
void TaskLife::note_kept() {
  if (!counts()) return;
  const std::vector<siginfo_t> signals(deferred_.begin(), deferred_.end());
  agent::note_kept(memory(), area_, signals);
}

void TaskLife::wait_from_now() {
  deferred_since_ = std::chrono::steady_clock::now();
  used_before_ = tracee::cpu_time(tid()).value_or(std::chrono::nanoseconds{});
}

SignalEvent::Action TaskLife::action_of(int signal) {
  auto masks = tracee::signal_masks(tid());
  if (!masks) throw tracee::TaskDied{tid()};
  bool unalterable = signal == SIGSTOP || signal == SIGKILL;
  if (!unalterable && masks->is_caught(signal)) return SignalEvent::Action::Handler;
  if ((!unalterable && masks->is_ignored(signal)) || ignored_by_default(signal)) return SignalEvent::Action::Ignored;
  return tracee::stops_by_default(signal) ? SignalEvent::Action::Stop : SignalEvent::Action::Fatal;
}

// Puts a task that stands in a trampoline where the program would say it is. The kernel names the address of some
// faulting instructions in siginfo too (SIGILL, SIGFPE, SIGTRAP).
void TaskLife::show_program_address(siginfo_t& info, bool synchronous) {
  const Regs raw = stopped().regs();
  const Regs program = space_->patches.program_view(memory(), area_, raw);
  if (program == raw) return;
  stopped().set_regs(program);
  if (!synchronous || info.si_addr != reinterpret_cast<void*>(raw.rip)) return;
  info.si_addr = reinterpret_cast<void*>(program.rip);
  stopped().set_siginfo(info);
}

int TaskLife::deliver(siginfo_t info, bool synchronous) {
  const SignalEvent::Action action = action_of(info.si_signo);
  const bool ends_computation = action == SignalEvent::Action::Handler || action == SignalEvent::Action::Fatal;
  const bool at_tick = !synchronous && ends_computation && boundary_.unlogged_tick;
  if (at_tick) log_tick(boundary_.regs);
  if (ends_computation) {
    show_program_address(info, synchronous);
  }
  SignalEvent event;
  event.signo = info.si_signo;
  event.siginfo = bytes_of(info);
  event.synchronous = synchronous;
  event.at_syscall = at_syscall_ && !synchronous;
  event.before = stopped().regs();
  event.action = action;
  if (event.action == SignalEvent::Action::Handler) {
    Stop stop = task_.run(Resume::Step, info.si_signo);
    Regs after = stopped().regs();
    if (stop.kind != Stop::Kind::Signal || stop.signal != SIGTRAP) {
      return handle(stop);  // the frame could not be written: the kernel sends SIGSEGV instead
    }
    event.after = after;
    event.frame = read_frame(memory(), after.rsp);
    event.xstate = stopped().xstate();
    session_.append(tid(), std::move(event));
    stand_at(after);
    at_syscall_ = false;
    at_event_ = true;
    return 0;
  }
  session_.append(tid(), std::move(event));
  return info.si_signo;
}

// On a busy machine, or while the log waits for its disk, a second may be little of the task's own.
bool TaskLife::is_overdue(std::chrono::steady_clock::time_point now) const {
  constexpr std::chrono::seconds kLong(1);
  if (deferred_.empty() || now - deferred_since_ <= kLong) return false;
  if (tracee::cpu_time(tid()).value_or(std::chrono::nanoseconds{}) - used_before_ <= kLong) return false;
  auto masks = tracee::signal_masks(tid());
  return masks && std::any_of(deferred_.begin(), deferred_.end(),
                              [&](const siginfo_t& info) { return !masks->is_blocked(info.si_signo); });
}

// Puts the call off. The kernel leaves the registers of a call numbered -1 alone (arch/x86/entry/common.c): the task
// stands in front of its call again, also when the supervisor is killed here.
int TaskLife::deliver_deferred(const Regs& entry) {
  Regs regs = entry;
  regs.rip = entry.rip - 2;
  regs.rax = entry.orig_rax;
  regs.orig_rax = ~std::uint64_t{0};
  stopped().set_regs(regs);
  task_.run(Resume::ToSyscall);
  regs = stopped().regs();
  regs.rip = entry.rip - 2;
  regs.rax = entry.orig_rax;
  regs.orig_rax = ~std::uint64_t{0};
  stopped().set_regs(regs);
  at_syscall_ = true;
  stand_at(regs);
  return take_deferred(regs);
}

// The signal to resume with at a place where one can be delivered. One that has been blocked since it came (by the
// handler of another one, say) must be pending, as it would be without tmrec: sigwait, sigsuspend and signalfd look for
// it there.
int TaskLife::take_deferred(const Regs& regs) {
  const std::uint64_t mask = stopped().signal_mask();
  auto is_blocked = [mask](const siginfo_t& info) { return ((mask >> (info.si_signo - 1)) & 1) != 0; };
  std::vector<siginfo_t> blocked;
  std::copy_if(deferred_.begin(), deferred_.end(), std::back_inserter(blocked), is_blocked);
  std::erase_if(deferred_, is_blocked);
  if (!blocked.empty() && space_->call_gadget) {
    tracee::queue_signals(stopped(), memory(), *space_->call_gadget, blocked);
    stopped().set_regs(regs);
  }
  if (!deferred_.empty()) wait_from_now();
  if (!blocked.empty() || deferred_.empty()) return note_kept(), 0;
  injected_ = deferred_.front();
  deferred_.pop_front();
  note_kept();
  return injected_->si_signo;
}

}  // namespace tmrec::recorder
