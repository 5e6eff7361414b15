// Tasks whose system calls the agent performs (tracee/agent/calls.cc).
//
// A task goes over to the agent before its first instruction, or, if that was asked for, when it has made some calls
// with a stop at each: Syscall User Dispatch then turns every call that does not come from the agent into SIGSYS, which
// the supervisor sees first, and nothing else stops the task. It takes such a task through that one call as before,
// with dispatch off for it. SIGSYS must not be blocked meanwhile, or the kernel kills the process: while the program
// blocks it, the task is stopped at every call again. The kernel's disposition of SIGSYS is the agent's, so that a task
// whose supervisor has been killed finds its way; as soon as the program wants to see or change its own, it gets that
// back.
#include <fcntl.h>
#include <linux/prctl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "recorder/task_life.h"
#include "syscalls/effects.h"
#include "tracee/agent/agent.h"
#include "tracee/proc.h"
#include "tracee/remote_call.h"

namespace tmrec::recorder {

using tracee::Resume;
using tracee::Stop;

namespace {

constexpr std::uint64_t kDispatchOff = 0, kDispatchOn = 1;
constexpr std::uint32_t kCallsInRow = 20000;  // before others have a turn

bool is_harmless_device(const struct stat& file) {
  const auto number = minor(file.st_rdev);
  // null, zero, full, random, urandom (Documentation/admin-guide/devices.txt)
  return major(file.st_rdev) == 1 && (number == 3 || number == 5 || number == 7 || number == 8 || number == 9);
}

}  // namespace

// ---- going over to the agent ----------------------------------------------------------------------------------------

bool TaskLife::may_use_agent() const {
  return session_.options().use_agent && counts() && !space_->patches_off && !space_->no_agent && !process_->no_agent &&
         !process_->borrows_memory && space_->call_gadget && !session_.reads_directly;
}

// What it needs of its process, and has of its parent's, if it is a thread or a forked process.
bool TaskLife::is_prepared() const { return space_->ring && process_->program_sigsys; }

namespace {

struct KernelSigaction {
  std::uint64_t handler, flags, restorer, mask;
};

KernelSigaction agents_action() {
  const agent::Directory& at = agent::directory();
  constexpr std::uint64_t kFlags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | 0x04000000;  // SA_RESTORER
  return {at.on_sigsys, kFlags, at.restorer, ~std::uint64_t{0}};
}

}  // namespace

// SIGSYS of the process goes to the agent, the task's calls raise it, and it has a ring. What the program had set for
// SIGSYS is kept.
void TaskLife::consider_agent() {
  if (dispatched_ || !may_use_agent()) return;
  if (!is_prepared() && ++traced_calls_ < session_.options().agent_after) return;
  traced_calls_ = 0;
  if ((stopped().signal_mask() >> (SIGSYS - 1) & 1) != 0 || !can_be_dispatched()) return;
  space_->no_agent = true;  // until all is there
  const std::uint64_t scratch = area_.value + agent::kScratch;
  const KernelSigaction ours = agents_action();
  const agent::Directory& at = agent::directory();
  std::vector<tracee::WantedCall> calls;
  const bool owns_sigsys = process_->program_sigsys.has_value();
  if (!owns_sigsys) calls.push_back({SYS_rt_sigaction, {SIGSYS, scratch, scratch + sizeof ours, 8}});
  calls.push_back({SYS_prctl,
                   {agent::kSetSyscallUserDispatch, kDispatchOn, at.allowed, at.allowed_end - at.allowed,
                    area_.value + agent::kConduct + offsetof(agent::Conduct, dispatch)}});
  const std::string ring = space_->ring ? std::string() : session_.path_of_ring(tid());
  constexpr std::uint64_t kOpenFlags = O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  const auto here = static_cast<std::uint64_t>(std::int64_t{AT_FDCWD});
  if (!ring.empty()) calls.push_back({SYS_openat, {here, agent::kArguments, kOpenFlags}});
  const bool written = (space_->ring || agent::install_calls(memory())) &&
                       memory().write(agent::kArguments, ring.c_str(), ring.size() + 1) &&
                       memory().write(scratch, &ours, sizeof ours);
  if (!written) return;
  dispatched_ = true;  // by the second of them at the latest
  const auto results = call_in_a_row(calls);
  if (results.size() + 1 < calls.size())
    throw sched::EndRecording{fmt::format("task {} could not be given to the agent", tid())};
  std::array<std::uint64_t, 4> program{};
  if (!owns_sigsys && memory().read(scratch + sizeof ours, program.data(), sizeof program)) {
    process_->program_sigsys = program;
  }
  const bool has_ring = space_->ring || (!ring.empty() && map_ring(results.back())) || make_own_ring();
  if (has_ring) space_->no_agent = false;
}

bool TaskLife::can_be_dispatched() {
  if (session_.has_dispatch()) return true;
  session_.note("no Syscall User Dispatch: every system call stops");
  space_->no_agent = true;
  return false;
}

// The recording's, which is open as `fd` in the task.
bool TaskLife::map_ring(std::int64_t fd) {
  if (tracee::is_error(fd)) return false;
  const auto file = static_cast<std::uint64_t>(fd);
  const auto& ring = session_.ring_of_all();
  const bool same = tracee::has_open(tid(), static_cast<int>(fd), ring->file());
  constexpr std::uint64_t kFlags = MAP_SHARED | MAP_FIXED;
  std::vector<tracee::WantedCall> calls{{SYS_close, {file}}};
  if (same)
    calls.insert(calls.begin(), {SYS_mmap, {agent::kRing, agent::kRingSize, PROT_READ | PROT_WRITE, kFlags, file, 0}});
  const auto results = call_in_a_row(calls);
  if (!same || results.front() != static_cast<std::int64_t>(agent::kRing)) return false;
  space_->ring = ring;
  return true;
}

// One that only this address space and those forked from it have: the program can't open the recording's.
bool TaskLife::make_own_ring() {
  constexpr char kName[] = "calls";
  if (tracee::limit_of(tid(), RLIMIT_FSIZE).value_or(0) < agent::kRingSize) return false;
  if (!memory().write(agent::kArguments, kName, sizeof kName)) return false;
  const std::int64_t fd = call_remotely(SYS_memfd_create, {agent::kArguments, MFD_CLOEXEC});
  if (fd < 0) return false;
  constexpr std::uint64_t kFlags = MAP_SHARED | MAP_FIXED;
  const auto file = static_cast<std::uint64_t>(fd);
  const bool mapped = call_remotely(SYS_ftruncate, {file, agent::kRingSize}) == 0 &&
                      call_remotely(SYS_mmap, {agent::kRing, agent::kRingSize, PROT_READ | PROT_WRITE, kFlags, file,
                                               0}) == static_cast<std::int64_t>(agent::kRing);
  auto ring = mapped ? CallRing::map(tid(), static_cast<int>(fd), session_.options().agent_room)
                     : fail(ErrorKind::System, "not mapped");
  call_remotely(SYS_close, {file});
  if (!ring) return false;
  space_->ring = std::move(*ring);
  session_.add_ring(space_->ring);
  return true;
}

// The program gets its own disposition of SIGSYS back, and the process no agent until it has made more calls.
void TaskLife::disown_sigsys() {
  if (!process_->program_sigsys) return;
  const std::uint64_t scratch = area_.value + agent::kScratch;
  if (counts() && memory().write(scratch, process_->program_sigsys->data(), sizeof *process_->program_sigsys)) {
    call_remotely(SYS_rt_sigaction, {SIGSYS, scratch, 0, 8});
  }
  process_->program_sigsys.reset();
}

// ---- running --------------------------------------------------------------------------------------------------------

namespace {

bool is_within_agent(const Regs& regs) {
  return agent::is_code(regs.rip) && agent::question_of(regs) == agent::Question::None;
}

}  // namespace

// How the task is resumed next: with the agent performing its calls, or to its next call.
Resume TaskLife::conduct() {
  // In the middle of a call it goes on there, whatever another thread has done meanwhile, and asks behind it.
  const bool within = conducts_ && !traced_once_ && is_within_agent(stopped().regs());
  const bool goes_on = std::exchange(goes_on_in_agent_, false) || within;
  // One that another thread has taken SIGSYS from goes over again.
  if (!goes_on && dispatched_ && process_->program_sigsys == std::nullopt && may_use_agent()) {
    dispatched_ = false;
    traced_calls_ = 0;
  }
  const bool may = dispatched_ && !traced_once_ && may_use_agent() && process_->program_sigsys &&
                   (stopped().signal_mask() >> (SIGSYS - 1) & 1) == 0;
  const bool agents = (goes_on || may) && take_slot();
  if (!agents && !conducts_) return Resume::ToSyscall;
  // A task that is in the agent now asks behind its call, also when that was the last.
  agent::Conduct wanted{.ask = deferred_.empty() && (may || !agents) ? 0u : 1u};
  sched::Policy& policy = session_.loop().policy();
  const std::uint32_t fresh = policy.chaos ? policy.slice() : kCallsInRow;
  const std::uint32_t calls = std::exchange(calls_left_, std::nullopt).value_or(fresh);
  // In an order that a seed decides, only the supervisor gives the baton away; and for starting points it must have
  // seen where each task began to wait.
  const bool hands_on = policy.state == 0 && !stops_anywhere() && !session_.keeps_ring();
  if (agents) {
    const auto slot = static_cast<std::uint16_t>(hands_on ? *slot_ + 1 : 0);
    const bool shows_cpu = session_.options().baseline.is_native();
    const auto may =
        static_cast<std::uint8_t>((shows_cpu ? agent::kPerformsCpuid : 0) | (tsc_traps_ ? 0 : agent::kPerformsTsc) |
                                  (space_->hidden_variable ? agent::kLeavesFiles : 0));
    wanted = {1, may, slot, agent::kPerforms, wanted.ask, calls};
  }
  if (!agent::set_conduct(memory(), area_, wanted)) return Resume::ToSyscall;
  conducts_ = agents;
  if (agents) {
    last_seen_ = stopped().regs();
    if (!begins_wait_) session_.exchange().leave_to(space_->ring, *slot_);
    if (session_.probe() && std::exchange(probes_, false)) session_.probe()->arm(stopped());
  }
  return agents ? Resume::Continue : Resume::ToSyscall;
}

void TaskLife::ask_soon() {
  if (!counts()) return;
  constexpr std::uint32_t kYes = 1;
  memory().write(area_.value + agent::kConduct + offsetof(agent::Conduct, ask), &kYes, sizeof kYes);
}

// In the ring of its address space. False: all are taken.
bool TaskLife::take_slot() {
  if (slot_ && slot_ring_ == space_->ring) return true;
  give_slot_back();
  slot_ = space_->ring->take_slot(tid());
  if (slot_) slot_ring_ = space_->ring;
  return slot_.has_value();
}

void TaskLife::give_slot_back() {
  if (slot_) slot_ring_->give_slot_back(*slot_);
  slot_.reset();
  slot_ring_.reset();
}

bool TaskLife::has_met_probe(const Stop& stop) {
  if (!session_.probe() || stop.kind != Stop::Kind::Signal || stop.signal != SIGTRAP) return false;
  if (!session_.probe()->met(stopped(), stopped().siginfo())) return false;
  session_.note("signals sent within the agent");
  return true;
}

// A task that was stopped while it waits in the agent, which has the baton now, leaves that wait as if it had made the
// call itself: interrupted, or just returned. Not when it only asks for the baton, or has it already and writes down
// how the call ended.
void TaskLife::leave_wait(const Stop& stop) {
  const Regs now = stopped().regs();
  if (agent::question_of(now) == agent::Question::Baton) return;
  const auto out = agent::out_of_wait(memory(), area_, now, true);
  if (!out) return;
  OpenCall open = std::move(*begun_);
  begun_.reset();
  Regs after = *out;
  // Untraced, a signal that is ignored would have interrupted nothing (kernel/signal.c, sig_ignored).
  const bool handled = stop.kind == Stop::Kind::Signal && action_of(stop.signal) == SignalEvent::Action::Handler;
  if (static_cast<std::int64_t>(after.rax) == -EINTR && !handled)
    after.rax = static_cast<std::uint64_t>(syscalls::kRestartNoHand);
  constexpr std::uint64_t kNo = 0;
  memory().write(area_.value + agent::kPerforming, &kNo, sizeof kNo);
  slot_ring_->set_running(*slot_);
  stopped().set_regs(after);
  complete_call(open, after);
}

// ---- stops ----------------------------------------------------------------------------------------------------------

// The SIGSYS of Syscall User Dispatch: something for the supervisor. It is not delivered; the task has left its place
// when it is resumed, and a handler that finds that does nothing.
std::optional<int> TaskLife::on_dispatch(const siginfo_t& info) {
  if (!agent::is_dispatch(info) || !dispatched_) return std::nullopt;
  Regs at_call = stopped().regs();
  at_dispatch_ = true;
  signal_ = 0;
  const agent::Question question = agent::question_of(at_call);
  if (question == agent::Question::None) {
    at_call.rip -= 2;
    at_call.orig_rax = ~std::uint64_t{0};
    stopped().set_regs(at_call);  // at once: should the supervisor be killed, the call is made
  }
  // From the stop in front of a signal another one would be delivered unseen: one at a call is as good as any.
  if (!deferred_.empty() && question != agent::Question::Baton) call_remotely(SYS_gettid, {});
  switch (question) {
    case agent::Question::Tick:
      on_tick(at_call);
      break;
    case agent::Question::Special:
      on_special_instruction(at_call);
      break;
    case agent::Question::Returned:
      on_return(at_call);
      break;
    case agent::Question::Call: {
      auto asked = agent::program_state(memory(), space_->patches, area_, at_call);
      if (!asked) throw sched::EndRecording{fmt::format("task {} has lost its area", tid())};
      let_call(asked->regs, asked->conduct);
      break;
    }
    case agent::Question::Baton:
      goes_on_in_agent_ = true;
      begins_wait_ = begun_ && slot_ring_->state(*slot_) == agent::SlotState::Runs;
      if (const auto had = memory().get<agent::Conduct>(area_ + agent::kConduct)) calls_left_ = had->calls_left;
      break;
    case agent::Question::Script:
      break;  // seen where it was asked for
    case agent::Question::None:
      let_call(at_call, memory().get<agent::Conduct>(area_ + agent::kConduct).value_or(agent::Conduct()));
      break;
  }
  at_dispatch_ = false;
  return signal_;
}

// The task stands in front of a call.
void TaskLife::let_call(const Regs& before, const agent::Conduct& had) {
  stopped().set_regs(before);
  exhausted_ = had.calls_left == 0;
  if (make_call_here(before)) {
    if (!deferred_.empty()) signal_ = take_deferred(stopped().regs());
    return;
  }
  traced_once_ = true;  // it is taken through it with stops
}

// Behind a call that the agent has performed, before anything was executed.
void TaskLife::on_return(const Regs& at_call) {
  auto asked = agent::program_state(memory(), space_->patches, area_, at_call);
  if (!asked) throw sched::EndRecording{fmt::format("task {} has lost its area", tid())};
  leave_agent(asked->regs);
  if (!deferred_.empty()) signal_ = take_deferred(asked->regs);
}

// A copy of the agent's met an address of the program's that is bad.
bool TaskLife::end_failed_copy(const siginfo_t& info, const Regs& now) {
  if (info.si_signo != SIGSEGV && info.si_signo != SIGBUS) return false;
  auto end = agent::failed_copy(now.rip);
  if (!end) return false;
  Regs regs = now;
  regs.rip = end->value;
  stopped().set_regs(regs);
  return true;
}

// When the recording ends: the task, which stands somewhere it goes on from by itself, is as if there had been no
// agent.
void TaskLife::give_up_agent(tracee::Stopped& task, std::vector<siginfo_t>& arrived) const {
  if (!counts() || !space_->call_gadget) return;
  auto call = [&](std::int64_t number, std::initializer_list<std::uint64_t> args) {
    return tracee::recorded_call(task, space_->memory, *space_->call_gadget, number, args, &arrived);
  };
  if (dispatched_) call(SYS_prctl, {agent::kSetSyscallUserDispatch, kDispatchOff, 0, 0, 0});
  const std::uint64_t scratch = area_.value + agent::kScratch;
  if (process_->program_sigsys &&
      space_->memory.write(scratch, process_->program_sigsys->data(), sizeof *process_->program_sigsys)) {
    call(SYS_rt_sigaction, {SIGSYS, scratch, 0, 8});
  }
}

// ---- what the agent must know ---------------------------------------------------------------------------------------

// Before a call is performed that the agent's set-up stands in the way of.
void TaskLife::prepare_for_call(const syscalls::Call& call) {
  constexpr std::uint64_t kSetSeccomp = 22;  // PR_SET_SECCOMP
  const bool filters = call.nr == SYS_seccomp || (call.nr == SYS_prctl && call.args[0] == kSetSeccomp);
  const bool dispatches = call.nr == SYS_prctl && call.args[0] == agent::kSetSyscallUserDispatch;
  // READ_IMPLIES_EXEC (personality(2)) would make code of whatever is mapped.
  if (filters || call.nr == SYS_personality) expect_tsc_anywhere();
  if (filters && !tsc_traps_) {
    const Regs entry = stopped().regs();
    settle_tsc();
    enter_again(entry);
  }
  if (filters || dispatches) process_->no_agent = true;
  const bool unshares = (call.nr == SYS_unshare && (call.args[0] & CLONE_FILES) != 0) ||
                        (call.nr == SYS_close_range && (call.args[2] & 2) != 0);  // CLOSE_RANGE_UNSHARE
  if (unshares) space_->no_agent = true;
  const bool asks = call.nr == SYS_rt_sigaction && call.args[0] == SIGSYS;
  if (!process_->program_sigsys || !(filters || dispatches || asks)) return;
  const Regs entry = stopped().regs();
  disown_sigsys();
  enter_again(entry);
}

// Back to the entry stop of a call that was left for another.
void TaskLife::enter_again(const Regs& entry) {
  Regs before = entry;
  before.rip -= 2;
  before.rax = entry.orig_rax;
  before.orig_rax = ~std::uint64_t{0};
  stopped().set_regs(before);
  for (;;) {
    const Stop stop = task_.run(Resume::ToSyscall);
    if (stop.kind == Stop::Kind::Syscall) return;
    if (stop.kind == Stop::Kind::Signal) defer(stopped().siginfo());
  }
}

void TaskLife::forget_descriptors_of(const syscalls::Call& call) {
  if (!space_->ring) return;
  auto forget = [&](std::uint64_t fd) {
    constexpr std::uint32_t kNone = 0;
    const auto number = static_cast<std::uint32_t>(fd);
    if (number < agent::kMaxFds) memory().write(agent::kFds + number * sizeof kNone, &kNone, sizeof kNone);
  };
  constexpr std::uint64_t kSetFlags = 4, kNonBlocking = 0x5421;  // F_SETFL, FIONBIO
  switch (call.nr) {
    case SYS_close:
      return forget(call.args[0]);
    case SYS_dup2:
    case SYS_dup3:
      return forget(call.args[1]);
    case SYS_close_range:
      return session_.forget_descriptors();
    case SYS_fcntl:
      return call.args[1] == kSetFlags ? session_.forget_descriptors() : void();
    case SYS_ioctl:
      return call.args[1] == kNonBlocking ? session_.forget_descriptors() : void();
    default:
      return;
  }
}

agent::FdClass TaskLife::class_of(int fd) {
  using agent::FdClass;
  struct stat file {};
  const auto open_file = tracee::open_file_of(tid(), fd);
  if (!open_file || stat(fmt::format("/proc/{}/fd/{}", tid(), fd).c_str(), &file) < 0) return FdClass::Unknown;
  if (session_.stream_of(tid(), fd) != Stream::None) return FdClass::Special;
  static const dev_t kProc = [] {
    struct stat root {};
    return stat("/proc", &root) == 0 ? root.st_dev : dev_t{};
  }();
  const FdClass waits = (open_file->flags & O_NONBLOCK) != 0 ? FdClass::NoWait : FdClass::Stream;
  switch (file.st_mode & S_IFMT) {
    case S_IFREG:
      return file.st_dev == kProc || session_.backings().is_mapped(file) ? FdClass::Special : FdClass::File;
    case S_IFDIR:
      return FdClass::File;
    case S_IFCHR:
      return is_harmless_device(file) ? FdClass::File : FdClass::Special;
    case S_IFSOCK:
    case S_IFIFO:
    case 0:  // eventfd, timerfd and their like
      return waits;
    default:
      return FdClass::Special;
  }
}

// What the descriptor of a call is, for the next calls with it.
void TaskLife::teach_descriptor(const syscalls::Call& call, std::int64_t ret) {
  if (!dispatched_ || !space_->ring || (ret < 0 && ret != -EAGAIN)) return;
  switch (call.nr) {
    case SYS_read:
    case SYS_write:
    case SYS_pread64:
    case SYS_pwrite64:
    case SYS_readv:
    case SYS_writev:
    case SYS_preadv:
    case SYS_recvfrom:
    case SYS_recvmsg:
    case SYS_sendto:
    case SYS_sendmsg:
    case SYS_accept:
    case SYS_accept4:
      break;
    default:
      return;
  }
  const auto fd = static_cast<std::uint32_t>(call.args[0]);
  if (fd >= agent::kMaxFds) return;
  const auto known = static_cast<std::uint32_t>(class_of(static_cast<int>(fd)));
  const std::uint32_t entry = space_->ring->generation() << agent::kClassBits | known;
  memory().write(agent::kFds + fd * sizeof entry, &entry, sizeof entry);
}

}  // namespace tmrec::recorder
