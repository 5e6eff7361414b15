// One system call, from its entry stop to its exit stop.
//
// At entry: what the program asks (inputs, value-result lengths) and what to do about it. In the kernel: the baton is
// given away if the call sleeps while another task is ready; then the call is two events, Enter and Exit, and what the
// other task did stands between them. At exit: what the kernel wrote, and what else the call changed (files that are
// mapped, the recording's standard output, the address space).
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include <fmt/format.h>

#include "recorder/extent_list.h"
#include "recorder/seccomp_filter.h"
#include "recorder/task_life.h"
#include "syscalls/abi.h"
#include "syscalls/effects.h"
#include "tracee/agent/buffered.h"
#include "tracee/broken.h"
#include "tracee/interrupted.h"
#include "tracee/proc.h"

namespace tmrec::recorder {

using syscalls::Policy;
using tracee::Resume;
using tracee::Stop;

namespace {

bool is_restart(std::int64_t ret) { return syscalls::was_interrupted(ret) && ret != -EINTR; }

}  // namespace

// A 32-bit system call would be taken for another one of the 64-bit table.
void TaskLife::require_64_bit_call(const Regs& entry) {
  if (space_->syscall_sites.contains(entry.rip)) return;
  std::uint8_t code[2] = {};
  bool known = memory().read(entry.rip - 2, code, sizeof code) && code[0] == 0x0f && code[1] == 0x05;
  if (!known) {
    throw sched::EndRecording{
        fmt::format("task {} made a 32-bit system call at {:#x}, which can't be recorded", tid(), entry.rip - 2)};
  }
  space_->syscall_sites.insert(entry.rip);
}

TaskLife::OpenCall TaskLife::open_call(const Regs& entry) {
  OpenCall open{};
  open.call = syscalls::call_of(entry);
  open.event.regs = entry;
  bool resumes = syscalls::row(open.call.nr).policy == Policy::Restart && interrupted_.has_value();
  if (resumes) open.call = interrupted_->call;
  open.decision = syscalls::decide(open.call);
  if (syscalls::opens_direct(open.call, memory())) session_.reads_directly = true;
  tracee::ReadAhead arguments(memory());
  open.notes = resumes ? interrupted_->notes : syscalls::note_entry(open.call, arguments);
  open.notes.whole_buffers = session_.reads_directly;
  ExtentList inputs;
  syscalls::capture_inputs(open.call, arguments, inputs);
  inputs.read_into(open.event.extents, memory());
  open.event.noted = open.decision.noted;
  if (open.decision.noted) session_.note(fmt::format("unknown command of {}", syscalls::row(open.call.nr).name));
  return open;
}

void TaskLife::log_enter(OpenCall& open) {
  if (open.enter_logged) return;
  open.enter_logged = true;
  if (session_.keeps_ring()) entered_ = {open.event.regs, entry_xstate_};
  SyscallEvent enter = open.event;
  enter.phase = SyscallEvent::Phase::Enter;
  session_.append(tid(), std::move(enter));
  open.event.extents.clear();
}

int TaskLife::on_syscall() {
  Regs entry = stopped().regs();
  if (answer_agent(entry)) return signal_;
  traced_once_ = false;
  probes_ = true;
  if (entry.orig_rax == SYS_execve || entry.orig_rax == SYS_execveat) ticks();  // its counter goes with its memory
  require_64_bit_call(entry);
  if (!deferred_.empty() || interrupt_waits()) return deliver_deferred(entry);
  OpenCall open = open_call(entry);
  if (open.decision.policy == Policy::EndRecording) {
    throw sched::EndRecording{fmt::format("task {} called {}, which can't be recorded: {}", tid(),
                                          syscalls::row(open.call.nr).name, open.decision.why)};
  }
  if (open.call.nr == SYS_rseq && session_.ledger()) return keep_rseq(open), 0;
  if (open.decision.policy == Policy::Refuse) return refuse(open, open.decision.error), 0;
  if (open.decision.policy == Policy::Virtual && answer_virtually(open)) return 0;
  if (sends_unseen_output(open.call) || clones_untraced(open.call)) return refuse(open, EINVAL), 0;
  if (maps_socket(open.call)) return refuse(open, ENODEV), 0;
  if (makes_taken_back_calls_fatal(open.call.nr, open.call.args, memory())) {
    throw sched::EndRecording{
        fmt::format("task {} sets up a seccomp filter that would kill it for a call that tmrec takes back", tid())};
  }
  if (session_.keeps_ring()) entry_xstate_ = stopped().xstate();
  prepare_for_call(open.call);
  const bool executes = open.call.nr == SYS_execve || open.call.nr == SYS_execveat;
  if (executes && tsc_traps_) {
    trap_tsc(false);
    enter_again(entry);
  }
  if (open.call.nr == SYS_exit || open.call.nr == SYS_exit_group) log_enter(open);
  if (writes_to_code(open.call)) {
    log_enter(open);
    undo_patches_for(open.call);
  }
  if (open.call.nr == SYS_madvise && open.call.args[2] == MADV_FREE) {
    // When the kernel takes the pages is not repeatable; at once is one of the times it might have.
    Regs at_once = entry;
    at_once.rdx = MADV_DONTNEED;
    stopped().set_regs(at_once);
  }

  Stop stop = task_.run_call([&] {
    ExtentList waiting;
    syscalls::capture_while_blocked(open.call, memory(), waiting);
    waiting.read_into(open.event.extents, memory());
    log_enter(open);
    note_in_flux(open);
  });
  bool made_task = false;
  for (;;) {
    if (stop.kind == Stop::Kind::Syscall) break;
    if (stop.kind == Stop::Kind::Exec) return record_exec(open), 0;
    if (stop.kind == Stop::Kind::Clone) {
      bool waits_for_child = (record_birth(open) & CLONE_VFORK) != 0;
      made_task = true;
      stop = task_.run_call([] {}, waits_for_child);
      continue;
    }
    stop = task_.run_call([&] { log_enter(open); });  // the end of a vfork changes nothing by itself
  }
  finish_call(open);
  if (made_task) task_.after_birth();
  // What came while the task made calls for us: it still stands behind its own.
  return deferred_.empty() ? 0 : take_deferred(stopped().regs());
}

// A call that never waits, and that the kernel makes alike wherever it stands: the agent makes it for the supervisor,
// which takes one stop instead of two. Anything else that is special about it leaves it to on_syscall(). False: not
// made.
bool TaskLife::make_call_here(const Regs& before) {
  switch (before.rax) {
    case SYS_brk:
    case SYS_mmap:
    case SYS_mprotect:
    case SYS_munmap:
    case SYS_mremap:
    case SYS_prlimit64:
    case SYS_rseq:
    case SYS_set_robust_list:
    case SYS_set_tid_address:
      break;
    default:
      return false;
  }
  if (!deferred_.empty() || stops_anywhere() || session_.keeps_ring() || session_.ledger()) return false;
  Regs entry = before;
  entry.rip = entry.rcx = before.rip + 2;
  entry.r11 = before.eflags;
  entry.orig_rax = before.rax;
  entry.rax = static_cast<std::uint64_t>(-ENOSYS);
  const syscalls::Call call = syscalls::call_of(entry);
  if (writes_to_code(call) || maps_socket(call) || syscalls::decide(call).blocking != syscalls::Blocking::Never)
    return false;
  require_64_bit_call(entry);
  OpenCall open = open_call(entry);
  Regs after = entry;
  if (open.decision.policy == Policy::Refuse) {
    session_.refused(syscalls::row(call.nr).name);
    after.rax = static_cast<std::uint64_t>(-open.decision.error);
  } else if (open.decision.policy == Policy::Record || open.decision.policy == Policy::Memory) {
    tracee::WantedCall wanted{call.nr, {}};
    std::ranges::copy(call.args, wanted.args.begin());
    after.rax = static_cast<std::uint64_t>(call_in_a_row({&wanted, 1}).front());
  } else {
    return false;
  }
  stopped().set_regs(after);
  complete_call(open, after);
  return true;
}

// CLONE_UNTRACED would let a task escape; a kernel that does not know a flag says EINVAL.
bool TaskLife::clones_untraced(const syscalls::Call& call) {
  if (call.nr != SYS_clone3) return false;
  auto flags = memory().get<std::uint64_t>(RemoteAddr(call.args[0]));
  return flags && (*flags & CLONE_UNTRACED) != 0;
}

// The most the call can write: what it would have written had it returned as much as there can be, or been interrupted.
void TaskLife::note_in_flux(const OpenCall& open) {
  ExtentList outputs;
  for (const std::int64_t ret : {static_cast<std::int64_t>(syscalls::abi::kMaxTransfer), std::int64_t{-EINTR}}) {
    syscalls::capture_outputs(open.call, open.notes, ret, memory(), outputs);
  }
  for (std::size_t i = 0; i < outputs.ranges.size(); ++i) {
    in_flux_.push_back({outputs.ranges[i].addr, outputs.ranges[i].addr + outputs.sizes[i]});
  }
}

// What splice and its like move to the recording's own output passes by the program's memory, and could not be repeated
// at replay. EINVAL is what they say to descriptors they can't serve, and programs then read and write.
bool TaskLife::sends_unseen_output(const syscalls::Call& call) {
  int fd = syscalls::written_fd(call);
  return fd >= 0 && !syscalls::data_in_memory(call) && session_.stream_of(tid(), fd) != Stream::None;
}

// A TCP socket's mapping is where the kernel puts received pages (TCP_ZEROCOPY_RECEIVE), unseen. ENODEV is what other
// sockets say (net/core/sock.c, sock_no_mmap).
bool TaskLife::maps_socket(const syscalls::Call& call) {
  if (call.nr != SYS_mmap || (call.args[3] & MAP_ANONYMOUS) != 0) return false;
  struct stat file {};
  std::string path = fmt::format("/proc/{}/fd/{}", tid(), static_cast<int>(call.args[4]));
  return stat(path.c_str(), &file) == 0 && S_ISSOCK(file.st_mode);
}

// Under ptrace an ignored signal wakes a waiting call, which untraced it would not (kernel/signal.c, sig_ignored). Most
// calls are then made again by the kernel; those that return EINTR are made to be.
void TaskLife::hide_ignored_interruption(Regs& after) {
  if (static_cast<std::int64_t>(after.rax) != -EINTR) return;
  auto pending = tracee::pending_signals(tid());
  auto masks = tracee::signal_masks(tid());
  if (!pending || !masks) return;
  std::uint64_t arriving = *pending & ~masks->blocked;
  if (arriving == 0 && !interrupted_by_us_) {
    // Another thread has taken it. If it is this one's to handle, it has been kept back.
    if (!deferred_.empty()) return;
    const std::uint64_t timeout = after.r10;
    tracee::wait_on(after, {});
    after.r10 = timeout;
    return stopped().set_regs(after);
  }
  for (int signal = 1; signal <= 64; ++signal) {
    if (((arriving >> (signal - 1)) & 1) != 0 && action_of(signal) != SignalEvent::Action::Ignored) return;
  }
  after.rax = static_cast<std::uint64_t>(syscalls::kRestartNoHand);
  stopped().set_regs(after);
}

void TaskLife::finish_call(OpenCall& open) {
  Regs after = stopped().regs();
  hide_ignored_interruption(after);
  complete_call(open, after);
}

// The task stands behind its call, with `after`.
void TaskLife::complete_call(OpenCall& open, Regs after) {
  in_flux_.clear();
  entered_.reset();
  if (after.rdx != open.event.regs.rdx && open.call.nr == SYS_madvise) {
    after.rdx = open.event.regs.rdx;
    stopped().set_regs(after);
  }
  show_own_files(open.call, after);
  SyscallEvent& event = open.event;
  event.phase = open.enter_logged ? SyscallEvent::Phase::Exit : SyscallEvent::Phase::Complete;
  event.ret = static_cast<std::int64_t>(after.rax);

  ExtentList outputs;
  syscalls::capture_outputs(open.call, open.notes, event.ret, memory(), outputs);
  outputs.read_into(event.extents, memory());
  note_written_memory(open);
  if (space_->hidden_variable && agent::looks_at_files(open.call.nr)) {
    event.extents.push_back(take_back(memory(), *space_->hidden_variable));
    space_->hidden_variable.reset();
  }
  note_stream(open);
  note_file_effects(open);
  note_mapping(open, after);

  Regs expected = event.regs;
  expected.rax = after.rax;
  expected.orig_rax = after.orig_rax;
  expected.rcx = after.rcx;
  expected.r11 = after.r11;
  if (!(expected == after)) event.after = after;
  if (open.decision.policy == Policy::Sigreturn) {
    event.after = after;
    event.xstate = stopped().xstate();
  }
  if (open.call.nr == SYS_set_tid_address) clear_child_tid_ = open.call.args[0];
  if (is_restart(event.ret)) {
    interrupted_ = open;
  } else {
    interrupted_.reset();
  }
  const std::int64_t ret = event.ret;
  const std::optional<MapSource> mapping = event.mapping;
  session_.append(tid(), std::move(event));
  stand_at(after);
  at_syscall_ = false;
  at_event_ = true;
  forget_descriptors_of(open.call);
  teach_descriptor(open.call, ret);
  if (mapping && mapping->kind == MapSource::Kind::File) session_.forget_descriptors();
  if (!is_restart(ret)) consider_agent();
  if (open.decision.policy == Policy::Memory) follow_mappings(open.call, ret, mapping);
  if (open.decision.blocking == syscalls::Blocking::Yield) return task_.yield(SwitchEvent::Reason::Yield);
  if (std::exchange(exhausted_, false)) return task_.yield(SwitchEvent::Reason::SliceEnd);
  task_.preemption_point();
}

// Not performed: the number is made -1, so that the kernel does nothing and leaves the result, which is there already
// should the supervisor be killed meanwhile.
void TaskLife::skip_call(OpenCall& open, std::int64_t result) {
  Regs regs = open.event.regs;
  regs.rax = static_cast<std::uint64_t>(result);
  regs.orig_rax = ~std::uint64_t{0};
  stopped().set_regs(regs);
  task_.run(Resume::ToSyscall);
  Regs after = stopped().regs();
  after.rax = static_cast<std::uint64_t>(result);
  after.orig_rax = open.event.regs.orig_rax;
  stopped().set_regs(after);
  finish_call(open);
}

void TaskLife::refuse(OpenCall& open, int error) {
  session_.refused(syscalls::row(open.call.nr).name);
  skip_call(open, -error);
}

void TaskLife::note_stream(OpenCall& open) {
  if (open.event.ret <= 0) return;
  int fd = syscalls::written_fd(open.call);
  if (fd < 0) return;
  open.event.stream = session_.stream_of(tid(), fd);
}

void TaskLife::note_file_effects(OpenCall& open) {
  if (open.event.ret < 0) return;
  syscalls::FileEffect effect = syscalls::file_effect(open.call, open.event.ret, memory());
  using Kind = syscalls::FileEffect::Kind;
  using Where = syscalls::FileEffect::Where;
  if (effect.kind == Kind::None) return;
  struct stat file {};
  std::string path = fmt::format("/proc/{}/fd/{}", tid(), effect.fd);
  if (effect.where == Where::Path) {
    auto name = memory().read_string(RemoteAddr(effect.path), 4096);
    if (!name) return;
    path = fmt::format("/proc/{}/{}/{}", tid(), name->starts_with('/') ? "root" : "cwd", *name);
  }
  if (stat(path.c_str(), &file) < 0 || !session_.backings().is_mapped(file)) return;
  std::uint64_t offset = effect.offset;
  if (effect.where == Where::Offset && effect.kind == Kind::Write) {
    // pwrite to a descriptor with O_APPEND appends all the same (pwrite(2), BUGS).
    auto open_file = tracee::open_file_of(tid(), effect.fd);
    if (open_file && (open_file->flags & O_APPEND) != 0) effect.where = Where::End;
  }
  if (effect.where == Where::End) offset = static_cast<std::uint64_t>(file.st_size) - effect.length;
  if (effect.where == Where::Position) {
    auto open_file = tracee::open_file_of(tid(), effect.fd);
    if (!open_file) return;
    offset = open_file->position - effect.length;
  }
  // What a truncation or an allocation adds is zeros: the new size says it all.
  std::uint64_t length = effect.kind == Kind::Write ? effect.length : 0;
  if (auto change = session_.backings().changed(file, offset, length)) {
    open.event.changes.push_back(std::move(*change));
  }
}

void TaskLife::note_mapping(OpenCall& open, const Regs&) {
  SyscallEvent& event = open.event;
  if (event.ret < 0 && event.ret > -4096) return;
  const auto& args = open.call.args;
  if (open.call.nr == SYS_mmap && (args[3] & MAP_ANONYMOUS) == 0) {
    int fd = static_cast<int>(args[4]);
    std::string path = fmt::format("/proc/{}/fd/{}", tid(), fd);
    char shown[4096];
    ssize_t n = readlink(path.c_str(), shown, sizeof shown);
    std::string name(shown, n > 0 ? static_cast<std::size_t>(n) : 0);
    if (name == "/dev/zero") {
      event.mapping = MapSource{};
      event.mapping->kind = (args[3] & MAP_SHARED) ? MapSource::Kind::SharedAnonymous : MapSource::Kind::Anonymous;
      return;
    }
    auto source = session_.backings().map_file(path, args[5], name);
    if (!source) throw sched::EndRecording{fmt::format("task {}: {}", tid(), source.error().text)};
    event.mapping = std::move(*source);
  } else if (open.call.nr == SYS_shmat) {
    auto maps = tracee::read_maps(tid());
    if (!maps) return;
    for (const auto& map : *maps) {
      if (map.start.value != static_cast<std::uint64_t>(event.ret)) continue;
      Bytes content = memory().read_some(map.start, map.end - map.start);
      auto source = session_.backings().map_segment(static_cast<int>(args[0]), content);
      if (!source) throw sched::EndRecording{fmt::format("task {}: {}", tid(), source.error().text)};
      event.mapping = std::move(*source);
    }
  }
}

}  // namespace tmrec::recorder
