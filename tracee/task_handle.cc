#include "tracee/task_handle.h"

#include <elf.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <cerrno>
#include <cstring>
#include <tuple>

#include "tracee/broken.h"

namespace tmrec::tracee {

namespace {

// Not in every libc header's enum (arch/x86/include/uapi/asm/ptrace-abi.h).
constexpr int kPtraceSysemu = 31, kPtraceSysemuSinglestep = 32;
constexpr std::size_t kMaxXstate = 16384;  // Intel SDM 1-13: AMX tile data ends below 11 KiB

long checked(long result, pid_t tid, const char* what) {
  if (result >= 0) return result;
  if (errno == ESRCH) throw TaskDied{tid};
  throw_broken(what, errno);
}

int request_of(Resume how) {
  switch (how) {
    case Resume::Continue:
      return PTRACE_CONT;
    case Resume::ToSyscall:
      return PTRACE_SYSCALL;
    case Resume::EmulateCalls:
      return kPtraceSysemu;
    case Resume::Step:
      return PTRACE_SINGLESTEP;
    case Resume::StepEmulated:
      return kPtraceSysemuSinglestep;
    case Resume::Listen:
      return PTRACE_LISTEN;
  }
  return PTRACE_CONT;
}

long ptrace_raw(int request, pid_t tid, std::uintptr_t addr, std::uintptr_t data) {
  return ptrace(static_cast<__ptrace_request>(request), tid, addr, data);
}

std::uintptr_t as_word(const void* p) { return reinterpret_cast<std::uintptr_t>(p); }

}  // namespace

Regs Stopped::regs() const {
  if (regs_) return *regs_;
  Regs regs;
  checked(ptrace_raw(PTRACE_GETREGS, tid_, 0, as_word(&regs)), tid_, "PTRACE_GETREGS");
  regs_ = regs;
  return regs;
}

void Stopped::set_regs(const Regs& regs) {
  if (regs_ && *regs_ == regs) return;
  // Of flags and segments the kernel takes what a program may set, and leaves the rest.
  const auto settled = [](const Regs& r) { return std::tuple(r.eflags, r.cs, r.ss, r.ds, r.es, r.fs, r.gs); };
  const bool exact = regs_ && settled(*regs_) == settled(regs);
  regs_.reset();
  if (ptrace_raw(PTRACE_SETREGS, tid_, 0, as_word(&regs)) >= 0) return exact ? void(regs_ = regs) : void();
  if (errno == EIO) throw ImpossibleState{"registers that no task can have"};  // putreg(), arch/x86/kernel/ptrace.c
  checked(-1, tid_, "PTRACE_SETREGS");
}

Bytes Stopped::xstate() const {
  Bytes state(kMaxXstate);
  iovec part{state.data(), state.size()};
  checked(ptrace_raw(PTRACE_GETREGSET, tid_, NT_X86_XSTATE, as_word(&part)), tid_, "PTRACE_GETREGSET");
  state.resize(part.iov_len);
  return state;
}

namespace {

// The area of another CPU, in the size of this one's: the kernel takes no other. Unchanged where it holds state that
// this CPU has no place for. Both in standard format: legacy area, header with the components in use, the components.
Bytes fitted(std::span<const std::uint8_t> state, std::size_t size) {
  constexpr std::size_t kInUse = 512, kHeaderEnd = 576, kAvxEnd = kHeaderEnd + 256;
  constexpr std::uint64_t kX87SseAvx = 7;
  Bytes bytes(state.begin(), state.end());
  std::uint64_t in_use = 0;
  if (bytes.size() < kHeaderEnd || size < kHeaderEnd) return bytes;
  std::memcpy(&in_use, bytes.data() + kInUse, sizeof in_use);
  // Components from number 3 on lie elsewhere on CPUs of other makes.
  if ((in_use & ~kX87SseAvx) != 0 || ((in_use & 4) != 0 && size < kAvxEnd)) return bytes;
  bytes.resize(size);
  return bytes;
}

}  // namespace

void Stopped::set_xstate(std::span<const std::uint8_t> given) {
  static const std::size_t size = xstate().size();  // the same for all tasks
  const Bytes changed = given.size() == size ? Bytes() : fitted(given, size);
  const std::span<const std::uint8_t> state = given.size() == size ? given : changed;
  iovec part{const_cast<std::uint8_t*>(state.data()), state.size()};
  if (ptrace_raw(PTRACE_SETREGSET, tid_, NT_X86_XSTATE, as_word(&part)) >= 0) return;
  // xstateregs_set(), arch/x86/kernel/fpu/regset.c
  if (errno == EINVAL || errno == EFAULT) throw ImpossibleState{"extended state that no task can have on this machine"};
  checked(-1, tid_, "PTRACE_SETREGSET");
}

siginfo_t Stopped::siginfo() const {
  siginfo_t info{};
  checked(ptrace_raw(PTRACE_GETSIGINFO, tid_, 0, as_word(&info)), tid_, "PTRACE_GETSIGINFO");
  // Killed since it stopped, it stands in another stop, the last.
  if (info.si_signo == SIGTRAP && info.si_code == (SIGTRAP | (PTRACE_EVENT_EXIT << 8))) throw TaskDied{tid_};
  return info;
}

void Stopped::set_siginfo(const siginfo_t& info) {
  checked(ptrace_raw(PTRACE_SETSIGINFO, tid_, 0, as_word(&info)), tid_, "PTRACE_SETSIGINFO");
}

std::uint64_t Stopped::signal_mask() const {
  if (mask_) return *mask_;
  std::uint64_t mask = 0;
  checked(ptrace_raw(PTRACE_GETSIGMASK, tid_, sizeof mask, as_word(&mask)), tid_, "PTRACE_GETSIGMASK");
  mask_ = mask;
  return mask;
}

void Stopped::set_signal_mask(std::uint64_t mask) {
  mask_.reset();
  checked(ptrace_raw(PTRACE_SETSIGMASK, tid_, sizeof mask, as_word(&mask)), tid_, "PTRACE_SETSIGMASK");
}

std::uint64_t Stopped::event_message() const {
  unsigned long message = 0;
  checked(ptrace_raw(PTRACE_GETEVENTMSG, tid_, 0, as_word(&message)), tid_, "PTRACE_GETEVENTMSG");
  return message;
}

Running Stopped::resume(Resume how, int signal) && {
  pid_t tid = std::exchange(tid_, 0);
  if (ptrace_raw(request_of(how), tid, 0, static_cast<std::uintptr_t>(signal)) < 0 && errno != ESRCH) {
    throw_broken("resuming a task", errno);
  }
  return Running(tid);
}

void Stopped::detach(int signal) && {
  ptrace_raw(PTRACE_DETACH, std::exchange(tid_, 0), 0, static_cast<std::uintptr_t>(signal));
}

Stop await_stop(pid_t tid) {
  int status = 0;
  while (waitpid(tid, &status, __WALL) < 0) {
    if (errno != EINTR) throw TaskDied{tid};
  }
  return decode_wait_status(status);
}

void Running::interrupt() const { ptrace_raw(PTRACE_INTERRUPT, tid_, 0, 0); }

}  // namespace tmrec::tracee
