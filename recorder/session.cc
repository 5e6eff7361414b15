#include "recorder/session.h"

#include <asm/prctl.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>

#include <fmt/format.h>

#include "recorder/plan_choice.h"
#include "recorder/task_life.h"
#include "tracee/agent/agent.h"
#include "tracee/interrupted.h"
#include "tracee/proc.h"
#include "tracee/remote_call.h"
#include "tracee/vdso.h"

namespace tmrec::recorder {

namespace {

// Set ten times a second: looking at every task more often would cost without being of use.
std::atomic<bool> heartbeat;
std::atomic<bool> end_asked;

std::pair<std::uint64_t, std::uint64_t> identity(const struct stat& file) { return {file.st_dev, file.st_ino}; }

}  // namespace

void ask_to_end() { end_asked = true; }

void start_heartbeat() {
  struct sigaction action {};
  action.sa_handler = [](int) { heartbeat = true; };
  sigaction(SIGALRM, &action, nullptr);
  itimerval every{{0, 100'000}, {0, 100'000}};
  setitimer(ITIMER_REAL, &every, nullptr);
}

Session::Session(const Options& options, sched::ChosenSource ticks, TraceDir trace, std::unique_ptr<LogWriter> log,
                 BlobStore blobs, Manifest manifest)
    : options_(options),
      ticks_(std::move(ticks)),
      trace_(std::move(trace)),
      log_(std::move(log)),
      blobs_(std::move(blobs)),
      manifest_(std::move(manifest)),
      backings_(blobs_),
      plans_(tracee::PlanCache::open(options.plan_cache)),
      has_dispatch_(prctl(agent::kSetSyscallUserDispatch, 0, 0, 0, 0) == 0),  // off, as it is
      loop_(sched::Policy::seeded(options.seed, options.chaos),
            {.on_switch =
                 [this](pid_t from, pid_t to, SwitchEvent::Reason reason) {
                   if (from != 0) append(from, SwitchEvent{reason, Tid(to)});
                 },
             .on_exited =
                 [this](pid_t pid, int status) {
                   if (pid == first_pid_ && !exit_status_) exit_status_ = status;
                 },
             .on_tick = [this] { tick(); },
             .on_starved = [this](pid_t by, const std::string& why) { return begin_gap(by, why); },
             .exchange = &exchange_}) {
  ledger_ = options_.ledger;
  if (options_.ring) ring_ = std::make_unique<Ring>(*options_.ring, trace_, *log_);
  if (options_.probe_agent != 0) probe_.emplace(options_.probe_agent);
  if (options_.on_planning) plans_.set_on_wait(options_.on_planning);
  auto identify = [](int fd) -> OwnStream {
    struct stat file {};
    bool inherited = (fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0;  // not inherited: stands for one that was closed
    if (!inherited || fstat(fd, &file) < 0) return {};
    return {true, file.st_dev, file.st_ino};
  };
  own_stdout_ = identify(STDOUT_FILENO);
  own_stderr_ = identify(STDERR_FILENO);
}

EventNo Session::append(pid_t task, EventBody body) {
  Ticks ticks;
  if (auto life = lives_.find(task); life != lives_.end()) ticks = life->second->ticks();
  return append(task, std::move(body), ticks);
}

EventNo Session::append(pid_t task, EventBody body, Ticks ticks) {
  Event event;
  event.tid = Tid(task);
  event.ticks = ticks;
  event.time_ns = now_ns();
  if (const auto* ended = std::get_if<ExitEvent>(&body); ended != nullptr && ended->process_ended)
    note_crash(task, *ended);
  event.body = std::move(body);
  return log_->append(std::move(event));
}

TaskLife* Session::life_of(pid_t tid) const {
  const auto life = lives_.find(tid);
  return life == lives_.end() ? nullptr : life->second.get();
}

void Session::note_hand_over(pid_t from, pid_t to) {
  if (from == 0) return;
  const TaskLife* const life = life_of(from);
  const SwitchEvent body{SwitchEvent::Reason::Blocked, Tid(to)};
  const auto at = life != nullptr ? life->recorded_at() : std::nullopt;
  at ? append(from, body, *at) : append(from, body);
  note("hand-overs by the agent");
}

patch::PlanOptions Session::plan_options(patch::Reach reach) const {
  return recorder::plan_options(reach, options_.use_agent, ticks_.source == nullptr);
}

void Session::append(CallBatch calls) {
  calls.time_ns = now_ns();
  log_->append(calls);
}

std::uint64_t Session::now_ns() const {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - started_).count());
}

Result<std::shared_ptr<const tracee::EncodedPlan>> Session::plan(const MapSource& source, patch::Reach reach) {
  TMREC_TRY(const MappedFile file, MappedFile::open(blobs_.path_of(source.blob)));
  return plans_.find_or_make({source.blob.hex, plan_options(reach)}, file.bytes(), source.path);
}

namespace {

// Under which its image is found: whoever looks at a recorded process sees that name.
std::string image_name(const std::string& module) { return std::filesystem::path(module).filename(); }

// As a mapping of it will be called, whatever links led to it.
std::string name_of_open_file(int fd) {
  std::error_code failed;
  return std::filesystem::read_symlink(fmt::format("/proc/self/fd/{}", fd), failed);
}

}  // namespace

std::shared_ptr<const tracee::ModuleImage> Session::image(const MapSource& source,
                                                          const std::shared_ptr<const tracee::EncodedPlan>& plan) {
  return plans_.image(plan, blobs_.path_of(source.blob), image_name(source.path));
}

// A file that is going to be mapped is stored now instead of then, so that this costs no second look at all its bytes.
void Session::foresee_modules(pid_t pid, const std::vector<Mapping>& mappings) {
  if (!options_.count_ticks) return;
  const Fd executable(open(fmt::format("/proc/{}/exe", pid).c_str(), O_RDONLY | O_CLOEXEC));
  if (!executable || foresight_.has_seen(executable.get())) return;
  foresight_.foresee(Surroundings::of(pid), executable.get(), [&](const Foresight::File& file) {
    if (file.needs.text_size == 0 || is_left_alone(file.path)) return;
    const auto blob = blobs_.put_fd(file.fd);
    if (!blob) return;
    RemoteAddr start(~std::uint64_t{0});
    for (const Mapping& mapping : mappings) {
      if (mapping.source.blob == *blob && (mapping.prot & PROT_EXEC) != 0) start = mapping.start;
    }
    const patch::Reach reach = first_reach(start, file.needs.text_size);
    plans_.prepare({{{blob->hex, plan_options(reach)}, blobs_.path_of(*blob), image_name(name_of_open_file(file.fd))}});
  });
}

// A blob that was there before is read once: tasks will execute what it holds.
Result<Session::StoredPlan> Session::store_plan(const tracee::EncodedPlan& plan) {
  if (const auto known = stored_plans_.find(plan.name); known != stored_plans_.end()) return known->second;
  TMREC_CHECKED(blobs_.put_known(plan.id, plan.encoded, plan.file ? plan.file->get() : -1));
  StoredPlan stored{plan.id, nullptr};
  if (const auto file = blobs_.open_verified(plan.id)) stored.file = std::make_shared<const Fd>(*file);
  return stored_plans_[plan.name] = std::move(stored);
}

const std::shared_ptr<CallRing>& Session::ring_of_all() {
  if (std::exchange(tried_ring_of_all_, true)) return ring_of_all_;
  if (auto ring = CallRing::create(options_.agent_room)) {
    ring_of_all_ = std::move(*ring);
    add_ring(ring_of_all_);
  }
  return ring_of_all_;
}

namespace {

bool shows_same(const std::string& one, const std::string& other) {
  struct stat a {
  }, b{};
  return stat(one.c_str(), &a) == 0 && stat(other.c_str(), &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

}  // namespace

std::string Session::path_of_ring(pid_t tid) {
  if (!ring_of_all() || !ring_of_all_->has_room_for_program()) return {};
  const std::string task = fmt::format("/proc/{}", tid);
  if (!shows_same(task + "/root", "/") || !shows_same(task + "/ns/pid", "/proc/self/ns/pid") ||
      !shows_same(task + "/ns/mnt", "/proc/self/ns/mnt"))
    return {};
  return fmt::format("/proc/{}/fd/{}", getpid(), ring_of_all_->file());
}

void Session::ask_tasks_of(const AddressSpace& space) {
  for (const auto& [tid, life] : lives_) {
    if (&life->space() == &space) life->ask_soon();
  }
}

void Session::forget_descriptors() {
  std::erase_if(rings_, [](const auto& ring) { return ring.expired(); });
  for (const auto& known : rings_) {
    if (auto ring = known.lock()) ring->forget_descriptors();
  }
}

bool Session::is_left_alone(const std::string& path) const {
  const std::string name = std::filesystem::path(path).filename();
  return std::ranges::count(options_.unpatched, name) != 0 || std::ranges::count(options_.unpatched, path) != 0;
}

bool Session::check_due() const {
  if (options_.check_every == 0 || log_->last().value < last_check_ + options_.check_every) return false;
  // Gigabytes take seconds to hash. Who asks for checks all the time gets them; others are not slowed down.
  constexpr std::uint64_t kAllTheTime = 1000;
  constexpr int kShare = 20;
  return options_.check_every < kAllTheTime || std::chrono::steady_clock::now() - checked_ >= kShare * check_cost_;
}

void Session::checked(std::chrono::steady_clock::duration cost) {
  last_check_ = log_->last().value;
  checked_ = std::chrono::steady_clock::now();
  check_cost_ = cost;
}

Stream Session::stream_of(pid_t tid, int fd) const {
  if (!own_stdout_.known && !own_stderr_.known) return Stream::None;
  char path[48];
  std::snprintf(path, sizeof path, "/proc/%d/fd/%d", tid, fd);
  struct stat file {};
  if (stat(path, &file) < 0) return Stream::None;
  auto [device, inode] = identity(file);
  bool is_stdout = own_stdout_.known && own_stdout_.device == device && own_stdout_.inode == inode;
  bool is_stderr = own_stderr_.known && own_stderr_.device == device && own_stderr_.inode == inode;
  if (is_stdout && is_stderr) return fd == STDERR_FILENO ? Stream::Stderr : Stream::Stdout;
  if (is_stdout) return Stream::Stdout;
  return is_stderr ? Stream::Stderr : Stream::None;
}

void Session::tick() {
  if (log_->failed()) throw sched::EndRecording{log_->error().text};
  // Whatever else ends it waits for copies of memory with the program standing still.
  if (end_asked && copies_are_over()) throw sched::EndRecording{"it was told to end", true};
  const bool beat = heartbeat.exchange(false);
  if (ring_) tend_ring(beat);
  if (!beat) return;
  check_limits();
  check_gap();
  auto now = std::chrono::steady_clock::now();
  for (const auto& [tid, life] : lives_) {
    life->interrupt_if_due();
    const auto stretch = static_cast<std::uint64_t>(life->without_tick(now).count());
    manifest_.longest_without_tick_ns = std::max(manifest_.longest_without_tick_ns, stretch);
    if (!life->is_overdue(now)) continue;
    const std::string why =
        fmt::format("task {} computes without a system call while signal {} waits for it, and can't be interrupted",
                    tid, life->deferred().front().si_signo);
    if (!begin_gap(tid, why)) throw sched::EndRecording{why};
  }
}

void Session::check_limits() {
  const auto recorded = std::chrono::steady_clock::now() - begun_;
  if (options_.duration && recorded >= *options_.duration && copies_are_over()) {
    const double seconds = std::chrono::duration<double>(*options_.duration).count();
    throw sched::EndRecording{fmt::format("{:g} s were over, as asked", seconds), true};
  }
  if (options_.max_memory != 0) check_memory_use();
  if (options_.max_bytes == 0) return;
  std::uint64_t size = 0;
  std::error_code none;
  for (std::filesystem::recursive_directory_iterator it(trace_.path(), none), end; !none && it != end;
       it.increment(none)) {
    std::error_code gone;
    const auto bytes = it->is_regular_file(gone) ? it->file_size(gone) : 0;
    if (!gone) size += bytes;
  }
  if (size >= options_.max_bytes)
    throw sched::EndRecording{fmt::format("the trace has {} bytes, as asked", size), true};
}

std::vector<AddressRange> Session::in_flux(const AddressSpace& space) const {
  std::vector<AddressRange> ranges = space.copied_in_flux;
  for (const auto& [tid, life] : lives_) {
    if (&life->space() == &space) ranges.insert(ranges.end(), life->in_flux().begin(), life->in_flux().end());
  }
  return ranges;
}

void Session::entered_space(pid_t former, pid_t tid, const std::shared_ptr<AddressSpace>& space) {
  spaces_[tid] = space;
  if (former == 0 || former == tid) return;
  spaces_.erase(former);
  auto life = lives_.extract(former);
  if (life.empty()) return;
  life.key() = tid;
  lives_.insert(std::move(life));
}

void Session::adopt(pid_t tid, tracee::Stopped stopped, std::shared_ptr<Process> process,
                    std::shared_ptr<AddressSpace> space, Birthright inherited) {
  ++process->tasks;
  ++space->tasks;
  spaces_[tid] = space;
  loop_.add(tid, std::move(stopped), [this, process, space, inherited](sched::LoopTask& task) {
    auto life = std::make_shared<TaskLife>(*this, task, process, space, inherited);
    lives_[task.tid()] = life;
    life->live(inherited.at_exec);
  });
}

TaskLife& Session::adopt_joined(pid_t tid, tracee::Stopped stopped, std::shared_ptr<Process> process,
                                std::shared_ptr<AddressSpace> space, const Birthright& rights) {
  ++process->tasks;
  ++space->tasks;
  spaces_[tid] = space;
  sched::LoopTask& task = loop_.add(tid, std::move(stopped),
                                    [this](sched::LoopTask& of) { std::shared_ptr(lives_.at(of.tid()))->live(false); });
  return *(lives_[tid] = std::make_shared<TaskLife>(*this, task, std::move(process), std::move(space), rights));
}

void Session::task_ended(pid_t tid) {
  spaces_.erase(tid);
  lives_.erase(tid);
  if (wants_gap_of(tid)) cancel_gap();
}

std::shared_ptr<AddressSpace> Session::space_of(pid_t tid) const {
  const auto known = spaces_.find(tid);
  return known == spaces_.end() ? nullptr : known->second.lock();
}

// A task may have been born or have executed another program without its life's knowing: what counts is what is there.
// Without address space randomisation the vdso is at the same place in most programs.
std::optional<RemoteAddr> Session::call_gadget_in(const tracee::RemoteMemory& memory) const {
  for (const auto& [tid, known] : spaces_) {
    auto space = known.lock();
    if (space && space->call_gadget && tracee::is_call_gadget(memory, *space->call_gadget)) return space->call_gadget;
  }
  return std::nullopt;
}

// Undoes what tmrec changed in a task that goes on without it. Its CPUs are set from outside; the trap on rdtsc only
// the task itself can take off.
bool Session::release(tracee::Stopped& task, const tracee::Stop& stop) {
  sched_setaffinity(task.tid(), sizeof affinity, &affinity);
  auto memory = tracee::RemoteMemory::open(task.tid());
  if (memory) {
    tracee::undo_all_patches(task.tid(), *memory);  // the other tasks of its space are stopped too
    agent::stand_down(*memory);
  }
  const siginfo_t info = stop.kind == tracee::Stop::Kind::Signal ? task.siginfo() : siginfo_t{};
  const bool dispatched = stop.kind == tracee::Stop::Kind::Signal && agent::is_dispatch(info);
  Regs regs = task.regs();
  // Not when what it asked has been dealt with, and it stands elsewhere by now.
  if (dispatched && info.si_call_addr == reinterpret_cast<void*>(regs.rip)) {
    // The call is made again, and reaches the kernel.
    regs.rip -= 2;
    regs.orig_rax = ~std::uint64_t{0};
    task.set_regs(regs);
  }
  auto gadget = memory ? call_gadget_in(*memory) : std::nullopt;
  if (!gadget) return dispatched;
  tracee::wait_on(regs, {});
  // From where the kernel makes its call again no signal is delivered by detaching.
  const bool queues = stop.kind == tracee::Stop::Kind::Signal && !dispatched && tracee::is_interrupted(regs);
  Regs at_call = regs;
  // A task at a system call entry is about to perform it: the number is taken back and the call made again.
  bool at_entry = static_cast<std::int64_t>(regs.rax) == -ENOSYS && static_cast<std::int64_t>(regs.orig_rax) >= 0;
  if (at_entry) {
    at_call.orig_rax = ~std::uint64_t{0};
    task.set_regs(at_call);
    regs.rip -= 2;
    regs.rax = regs.orig_rax;
    regs.orig_rax = ~std::uint64_t{0};
  }
  std::vector<siginfo_t> arrived;
  auto life = lives_.find(task.tid());
  if (life != lives_.end()) arrived.assign(life->second->deferred().begin(), life->second->deferred().end());
  tracee::recorded_call(task, *memory, *gadget, SYS_prctl, {PR_SET_TSC, PR_TSC_ENABLE, 0, 0, 0}, &arrived);
  if (manifest_.cpuid_trapped) {
    tracee::recorded_call(task, *memory, *gadget, SYS_arch_prctl, {ARCH_SET_CPUID, 1}, &arrived);
  }
  if (life != lives_.end()) {
    for (const pid_t child : children_to_wait_for(life->second->process().leader)) {
      tracee::recorded_call(task, *memory, *gadget, SYS_wait4,
                            {static_cast<std::uint64_t>(child), 0, WNOHANG | __WCLONE, 0}, &arrived);
    }
  }
  if (queues) arrived.push_back(info);
  if (life != lives_.end()) {
    life->second->give_up_agent(task, arrived);
    std::erase_if(arrived, [&](const siginfo_t& info) { return life->second->is_interrupt(info); });
  }
  tracee::queue_signals(task, *memory, *gadget, arrived);
  if (tracee::is_interrupted(regs)) {
    tracee::stand_interrupted(task, regs, arrived);
  } else {
    task.set_regs(regs);
  }
  return dispatched || queues;
}

std::string Session::run(pid_t pid, tracee::Stopped first) {
  auto memory = tracee::RemoteMemory::open(pid);
  if (!memory) return memory.error().text;
  auto space = std::make_shared<AddressSpace>(AddressSpace{.memory = std::move(*memory)});
  auto process = std::make_shared<Process>(Process{pid, 0});
  return run_to_end(pid, [&] {
    Birthright first_task;
    first_task.at_exec = true;
    first_pid_ = pid;
    adopt(pid, std::move(first), process, space, first_task);
  });
}

std::uint64_t Session::microseconds_since(Clock::time_point begin) {
  const auto took = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begin);
  return static_cast<std::uint64_t>(took.count());
}

std::string Session::run_to_end(pid_t pid, const std::function<void()>& begin) {
  std::string ended_early;
  try {
    begin();
    begun_ = std::chrono::steady_clock::now();
    loop_.run();
  } catch (const sched::EndRecording& end) {
    ended_early = end.reason;
    ended_as_asked_ = end.asked;
  } catch (const std::exception& broken) {
    ended_early = fmt::format("internal error: {}", broken.what());
  } catch (const tracee::TaskDied& died) {
    ended_early = fmt::format("internal error: task {} died unnoticed", died.tid);
  } catch (const tracee::ImpossibleState& state) {
    ended_early = fmt::format("internal error: {}", state.what);
  }
  if (!ended_early.empty() && ledger_) {
    const auto stopped_at = Clock::now();
    for (const auto& [tid, life] : lives_) {
      if (const auto ran = tracee::last_ran(tid)) ran_before_[tid] = *ran;
    }
    loop_.release_together([this](auto& leaving, bool all) { leave(leaving, all); });
    manifest_.let_go_us = microseconds_since(stopped_at);
  } else if (!ended_early.empty()) {
    while (!copies_are_over()) usleep(1000);
    loop_.release_all([this](tracee::Stopped& task, const tracee::Stop& stop) { return release(task, stop); });
  }
  append(pid, EndEvent{ended_early});
  return ended_early;
}

}  // namespace tmrec::recorder
