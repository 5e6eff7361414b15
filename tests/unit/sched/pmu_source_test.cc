#include <doctest/doctest.h>
#include <linux/perf_event.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <optional>

#include "sched/counted_task.h"
#include "sched/pmu_self_test.h"
#include "sched/pmu_source.h"

using namespace tmrec;
using namespace tmrec::sched;

namespace {

constexpr std::size_t kPages = 4000;

// Touches fresh pages, counting in rbx, with some instructions between that do the same each time; then exits.
[[noreturn]] void touch_pages(char* at) {
  __asm__ volatile(
      "xor %%ebx, %%ebx\n"
      "1: movb $1, (%[at])\n"
      "add $4096, %[at]\n"
      "call 2f\n"
      "call 2f\n"
      "inc %%rbx\n"
      "cmp %[pages], %%rbx\n"
      "jb 1b\n"
      "mov $60, %%eax\n"  // exit
      "xor %%edi, %%edi\n"
      "syscall\n"
      "2: ret\n"
      : [at] "+d"(at)
      : [pages] "i"(kPages)
      : "rax", "rbx", "rdi", "cc", "memory");
  __builtin_unreachable();
}

// A traced child that stands before its loop.
class Tracee final : public TaskControl {
 public:
  Tracee() {
    void* const where = reinterpret_cast<void*>(0x10'0000'0000);  // for equal addresses in all
    void* const pages = ::mmap(where, kPages * 4096, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    REQUIRE(pages != MAP_FAILED);
    ::madvise(pages, kPages * 4096, MADV_NOHUGEPAGE);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::raise(SIGSTOP);
      touch_pages(static_cast<char*>(pages));
    }
    int status = 0;
    REQUIRE(::waitpid(pid_, &status, WUNTRACED) == pid_);
    REQUIRE(::ptrace(PTRACE_SEIZE, pid_, 0, PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD) == 0);
    REQUIRE(::kill(pid_, SIGCONT) == 0);
    running_.emplace(pid_);
    while (wait().kind != tracee::Stop::Kind::Signal) resume(tracee::Resume::Continue);  // before SIGCONT
    memory_.emplace(std::move(*tracee::RemoteMemory::open(pid_)));
    ::munmap(pages, kPages * 4096);
    // Over the rest of raise(): to where rbx is 0 and the loop begins.
    while (!at_loop()) run(tracee::Resume::Step);
    // What raise() left in registers differs between two children.
    Regs clean = stopped_->regs();
    clean.rax = clean.rcx = clean.rsi = clean.rdi = clean.rbp = clean.r8 = clean.r9 = clean.r10 = 0;
    clean.r11 = clean.r12 = clean.r13 = clean.r14 = clean.r15 = 0;
    stopped_->set_regs(clean);
  }
  ~Tracee() override {
    ::kill(pid_, SIGKILL);
    int status = 0;
    while (::waitpid(pid_, &status, __WALL) == pid_ && !WIFSIGNALED(status) && !WIFEXITED(status)) {
    }
  }

  pid_t pid() const { return pid_; }
  tracee::Stopped& stopped() override { return *stopped_; }
  const tracee::RemoteMemory& memory() override { return *memory_; }
  tracee::Stop run(tracee::Resume how, int signal = 0) override {
    resume(how, signal);
    return wait();
  }

 private:
  bool at_loop() {
    const auto code = memory_->get<std::uint32_t>(RemoteAddr(stopped_->regs().rip));
    return code && (*code & 0xfff8ff) == 0x0100c6;  // movb $1, (register)
  }
  void resume(tracee::Resume how, int signal = 0) {
    running_.emplace(std::move(*stopped_).resume(how, signal));
    stopped_.reset();
  }
  tracee::Stop wait() {
    int status = 0;
    REQUIRE(::waitpid(pid_, &status, __WALL) == pid_);
    stopped_.emplace(std::move(*running_).stopped());
    return tracee::decode_wait_status(status);
  }

  pid_t pid_ = 0;
  std::optional<tracee::Stopped> stopped_;
  std::optional<tracee::Running> running_;
  std::optional<tracee::RemoteMemory> memory_;
};

// Page faults stand in for branches. They are counted before the instruction that faults is executed, and setting a
// period raises an interrupt at once; so places are reached by steps or by registers here, not by the tick's address.
Result<PmuCounter> faults_of(pid_t pid) {
  TMREC_TRY(PmuCounter counter, PmuCounter::open(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS, pid));
  TMREC_CHECKED(counter.send_interrupts_to(pid));
  TMREC_CHECKED(counter.enable());
  return counter;
}

}  // namespace

TEST_CASE("a real task is brought to an exact place, by debug register and by steps") {
  Tracee recorded;
  Result<PmuCounter> counter = faults_of(recorded.pid());
  if (!counter) {
    MESSAGE(counter.error().text);
    CHECK(counter.error().kind == ErrorKind::Machine);
    return;
  }
  // 300 pages, and some steps on.
  TickTarget target{.ticks = {}, .regs = {}, .instructions = 3, .tick_address = {}, .word = {}};
  {
    PmuTicks ticks(std::move(*counter), Ticks(0), 0);
    CountedTask machine(recorded, ticks);
    while (machine.regs().rbx < 300) REQUIRE(machine.step().kind == ArrivalStop::Kind::Stepped);
    const Ticks before = *machine.ticks();
    while (*machine.ticks() == before) REQUIRE(machine.step().kind == ArrivalStop::Kind::Stepped);
    for (int i = 0; i < 3; ++i) REQUIRE(machine.step().kind == ArrivalStop::Kind::Stepped);
    target.ticks = *machine.ticks();
    target.regs = machine.regs();
  }
  CHECK(target.ticks == Ticks(301));

  Tracee replayed;
  Result<PmuCounter> again = faults_of(replayed.pid());
  REQUIRE(again.has_value());
  SUBCASE("known by its number of instructions") {}
  SUBCASE("known by its registers") { target.instructions.reset(); }
  {
    PmuTicks ticks(std::move(*again), Ticks(0), 0);
    CountedTask machine(replayed, ticks);
    const Arrival arrival = arrive(machine, target, {.skid_bound = 20});
    if (!arrival) FAIL(arrival.error().text);
    CHECK(same_place(machine.regs(), target.regs));
    CHECK(*machine.ticks() == target.ticks);
    CHECK(arrival->held.empty());
    if (!target.instructions) CHECK(arrival->breakpoints > 0);
    if (target.instructions) CHECK(arrival->steps > 20);
  }
}

TEST_CASE("a real task's system call is seen and not made") {
  Tracee task;
  Result<PmuCounter> counter = faults_of(task.pid());
  if (!counter) return;
  PmuTicks ticks(std::move(*counter), Ticks(0), 0);
  CountedTask machine(task, ticks);
  TickTarget target{
      .ticks = Ticks(kPages + 100), .regs = machine.regs(), .instructions = 0, .tick_address = {}, .word = {}};
  SUBCASE("far away") {
    const Arrival arrival = arrive(machine, target, {.skid_bound = 10});
    REQUIRE_FALSE(arrival.has_value());
    CHECK(arrival.error().reason == MissedTarget::Reason::SystemCall);
  }
  SUBCASE("while stepping") {
    while (machine.regs().rbx < kPages - 1) {
      const ArrivalStop stop = machine.run(RemoteAddr(task.stopped().regs().rip));  // the loop's first instruction
      REQUIRE((stop.kind == ArrivalStop::Kind::Breakpoint || stop.kind == ArrivalStop::Kind::Interrupt));
    }
    ArrivalStop stop{ArrivalStop::Kind::Stepped};
    while (stop.kind == ArrivalStop::Kind::Stepped) stop = machine.step();
    CHECK(stop.kind == ArrivalStop::Kind::Syscall);
    CHECK(machine.regs().rax == SYS_exit);
  }
  CHECK(::kill(task.pid(), 0) == 0);
}

// Where there is a counter that works, everything for real: the place where 10,000 branches were made.
TEST_CASE("the hardware counter brings a task to a place found before") {
  const TickSourceChoice choice = choose_tick_source(examine_pmu());
  if (!choice.event) {
    CHECK(choice.name == "software");
    return;
  }
  PmuSource source(choice.name, *choice.device, *choice.event);
  CHECK(source.name() == choice.name);
  Tracee recorded;
  Result<PmuCounter> counter = PmuCounter::open(choice.device->type, choice.event->config, recorded.pid());
  REQUIRE(counter.has_value());
  REQUIRE(counter->send_interrupts_to(recorded.pid()));
  REQUIRE(counter->enable());
  std::optional<TickTarget> place;
  {
    PmuTicks ticks(std::move(*counter), Ticks(0), 0);
    CountedTask machine(recorded, ticks);
    REQUIRE(machine.interrupt_after(1500));
    REQUIRE(machine.run(std::nullopt).kind == ArrivalStop::Kind::Interrupt);
    Result<Settled> settled = settle(machine);
    REQUIRE(settled.has_value());
    place = settled->place;
  }
  REQUIRE(place.has_value());
  Tracee replayed;
  Result<std::unique_ptr<TickCounter>> ticks = source.start(replayed.stopped(), Ticks(0));
  REQUIRE(ticks.has_value());
  const Arrival arrival = (*ticks)->arrive(replayed, *place);
  if (!arrival) FAIL(arrival.error().text);
  CHECK(same_place(replayed.stopped().regs(), place->regs));
  CHECK(*(*ticks)->read() == place->ticks);
}
