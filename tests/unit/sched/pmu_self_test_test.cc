#include <doctest/doctest.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "sched/counted_code.h"
#include "sched/pmu_counter.h"
#include "sched/pmu_self_test.h"

using namespace tmrec;
using namespace tmrec::sched;
namespace fs = std::filesystem;

namespace {

// A folder like /sys/bus/event_source/devices.
class Devices {
 public:
  Devices() {
    std::string name = (fs::temp_directory_path() / "tmrec-pmu-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    root_ = name;
  }
  ~Devices() { fs::remove_all(root_); }
  void add(const std::string& device, const std::string& file, const std::string& content) {
    fs::create_directories(root_ / device);
    std::ofstream(root_ / device / file) << content << '\n';
  }
  const fs::path& root() const { return root_; }

 private:
  fs::path root_;
};

// The conditional branches that a child executes in `body`, counted by single steps.
template <class Body>
std::uint64_t branches_stepped(const Body& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    ::raise(SIGSTOP);
    body();
    ::_exit(0);
  }
  std::uint64_t branches = 0;
  int status = 0;
  while (::waitpid(child, &status, 0) == child && WIFSTOPPED(status)) {
    user_regs_struct regs{};
    ::ptrace(PTRACE_GETREGS, child, nullptr, &regs);
    const auto code = static_cast<unsigned long>(::ptrace(PTRACE_PEEKTEXT, child, regs.rip, nullptr));
    branches += (code & 0xf0) == 0x70 || (code & 0xf0ff) == 0x800f;  // jcc rel8, jcc rel32
    ::ptrace(PTRACE_SINGLESTEP, child, nullptr, nullptr);
  }
  REQUIRE(WIFEXITED(status));
  return branches;
}

const PmuCounter* watched = nullptr;
volatile std::sig_atomic_t raised = 0;

void on_counter_signal(int, siginfo_t* info, void*) { raised = raised + (watched->raised(*info) ? 1 : 100); }

// Memory whose pages are not there yet.
class FreshPages {
 public:
  explicit FreshPages(std::size_t pages) : size_(pages * 4096) {
    at_ = static_cast<char*>(::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    REQUIRE(at_ != MAP_FAILED);
    ::madvise(at_, size_, MADV_NOHUGEPAGE);
  }
  ~FreshPages() { ::munmap(at_, size_); }
  void touch(std::size_t pages) {
    for (std::size_t i = 0; i < pages; ++i) at_[4096 * next_++] = 1;
  }

 private:
  std::size_t size_, next_ = 0;
  char* at_;
};

PmuEvent event_of(CoreKind core, std::uint32_t quirks = kNoQuirk) {
  return {.name = "intel-test", .core = core, .config = 0x11c4, .skid_bound = 128, .quirks = quirks};
}

PmuReport working(std::uint32_t quirks = kNoQuirk) {
  PmuReport report{.cpu = {CpuVendor::Intel, 6, 0x8c, 1}, .candidates = {}};
  report.candidates.push_back({.event = event_of(CoreKind::Only, quirks),
                               .device = PmuDevice{.name = "cpu", .type = 4, .cpus = {}, .frozen_in_smm = true},
                               .measured = PmuMeasurement{.counted = 1000, .interrupts = 40, .worst_skid = 31},
                               .problem = {},
                               .advice = {}});
  return report;
}

}  // namespace

TEST_CASE("a list of CPUs is read as the kernel writes it") {
  CHECK(parse_cpu_list("0-3,8") == std::vector<int>{0, 1, 2, 3, 8});
  CHECK(parse_cpu_list("5") == std::vector<int>{5});
  CHECK(parse_cpu_list("").empty());
  CHECK(parse_cpu_list("x,2-,7").size() == 2);
  CHECK(parse_cpu_list("3-1").empty());
}

TEST_CASE("the counting unit is found for each kind of core") {
  Devices hybrid;
  hybrid.add("cpu_core", "type", "4");
  hybrid.add("cpu_core", "cpus", "0-7");
  hybrid.add("cpu_core", "freeze_on_smi", "0");
  hybrid.add("cpu_atom", "type", "10");
  hybrid.add("cpu_atom", "cpus", "8-19");
  const Result<PmuDevice> big = find_pmu_device(event_of(CoreKind::Performance), hybrid.root());
  REQUIRE(big.has_value());
  CHECK(big->name == "cpu_core");
  CHECK(big->type == 4);
  CHECK(big->cpus.size() == 8);
  CHECK(big->frozen_in_smm == false);
  const Result<PmuDevice> small = find_pmu_device(event_of(CoreKind::Efficient), hybrid.root());
  REQUIRE(small.has_value());
  CHECK(small->type == 10);
  CHECK(small->cpus.front() == 8);
  CHECK_FALSE(small->frozen_in_smm.has_value());

  Devices plain;
  plain.add("cpu", "type", "4");
  for (const CoreKind core : {CoreKind::Only, CoreKind::Performance}) {
    const Result<PmuDevice> device = find_pmu_device(event_of(core), plain.root());
    REQUIRE(device.has_value());
    CHECK(device->name == "cpu");
    CHECK(device->cpus.empty());
  }
  CHECK_FALSE(find_pmu_device(event_of(CoreKind::Efficient), plain.root()).has_value());
}

TEST_CASE("a machine without counters is told so, one without /sys gets a try") {
  Devices none;
  none.add("software", "type", "1");
  const Result<PmuDevice> missing = find_pmu_device(event_of(CoreKind::Only), none.root());
  REQUIRE_FALSE(missing.has_value());
  CHECK(missing.error().kind == ErrorKind::Machine);
  CHECK(missing.error().text.find("no hardware counters") != std::string::npos);
  const Result<PmuDevice> guess = find_pmu_device(event_of(CoreKind::Only), none.root() / "nowhere");
  REQUIRE(guess.has_value());
  CHECK(guess->type == 4);
  CHECK_FALSE(find_pmu_device(event_of(CoreKind::Performance), none.root() / "nowhere").has_value());
}

TEST_CASE("a refused counter names what refuses it") {
  const auto text = [](int err, PerfSettings settings) { return explain_open_failure(err, settings).text; };
  CHECK(text(EACCES, {.paranoid = 3}).find("perf_event_paranoid is 3") != std::string::npos);
  CHECK(text(EPERM, {.paranoid = 2, .seccomp = true}).find("seccomp") != std::string::npos);
  CHECK(text(EPERM, {.paranoid = 2}).find("security module") != std::string::npos);
  CHECK(text(ENOENT, {.paranoid = {}, .virtual_machine = true}).find("virtual machine") != std::string::npos);
  CHECK(text(ENOENT, {}).find("virtual machine") == std::string::npos);
  CHECK(text(ENOSYS, {.paranoid = {}, .seccomp = true}).find("seccomp") != std::string::npos);
  CHECK(explain_open_failure(EINVAL, {}).kind == ErrorKind::Machine);
}

TEST_CASE("the counter is chosen when it works, and software says why not") {
  const TickSourceChoice good = choose_tick_source(working());
  CHECK(good.name == "pmu:intel-test");
  CHECK(good.event.has_value());
  CHECK(good.device.has_value());
  CHECK(good.advice.empty());

  PmuReport broken = working();
  broken.candidates[0].problem = "it counts 7 where there are 6 conditional branches";
  const TickSourceChoice software = choose_tick_source(broken);
  CHECK(software.name == "software");
  CHECK_FALSE(software.event.has_value());
  CHECK(software.reason == broken.candidates[0].problem);

  // The second kind of core, where the first does not work.
  broken.candidates.push_back(working().candidates[0]);
  CHECK(choose_tick_source(broken).name == "pmu:intel-test");

  const TickSourceChoice unknown = choose_tick_source({.cpu = {CpuVendor::Other, 1, 2, 3}, .candidates = {}});
  CHECK(unknown.name == "software");
  CHECK(unknown.reason.find("family 0x1") != std::string::npos);
}

TEST_CASE("known quirks are heeded") {
  PmuReport eliding = working(kTransactions);
  CHECK(choose_tick_source(eliding).name == "pmu:intel-test");
  eliding.elided_locks = true;
  CHECK(choose_tick_source(eliding).name == "software");
  CHECK(choose_tick_source(eliding).advice.find("tsx=off") != std::string::npos);

  PmuReport firmware = working(kSystemManagement);
  CHECK(choose_tick_source(firmware).advice.empty());
  firmware.candidates[0].device->frozen_in_smm = false;
  CHECK(choose_tick_source(firmware).name == "pmu:intel-test");
  CHECK(choose_tick_source(firmware).advice.find("freeze_on_smi") != std::string::npos);
}

TEST_CASE("the code that tests a counter has the conditional branches it claims") {
  const auto stepped = [](std::uint64_t rounds) { return branches_stepped([=] { run_branches(rounds); }); };
  CHECK(stepped(51) - stepped(1) == 50 * kPerRound);
  static std::uint64_t word = 0;
  const auto locked = [](std::uint64_t rounds) { return branches_stepped([=] { run_locked(rounds, &word); }); };
  CHECK(locked(51) - locked(1) == 50 * kPerLockedRound);
}

// Page faults stand in for branches: the kernel counts them in software, also where there is no hardware counter.
TEST_CASE("a counter counts, starts over, and interrupts") {
  Result<PmuCounter> counter = PmuCounter::open(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS, 0);
  if (!counter) {
    CHECK(counter.error().kind == ErrorKind::Machine);
    MESSAGE(counter.error().text);
    return;
  }
  FreshPages pages(1000);
  pages.touch(1);
  CHECK(counter->read() == 0);
  REQUIRE(counter->enable());
  const std::uint64_t before = counter->read().value_or(0);
  pages.touch(100);
  CHECK(counter->read().value_or(0) - before == 100);
  REQUIRE(counter->disable());
  pages.touch(5);
  REQUIRE(counter->reset());
  CHECK(counter->read() == 0);

  struct sigaction action{}, old{};
  action.sa_sigaction = on_counter_signal;
  action.sa_flags = SA_SIGINFO;
  REQUIRE(::sigaction(kCounterSignal, &action, &old) == 0);
  watched = &*counter;
  REQUIRE(counter->send_interrupts_to(::gettid()));
  REQUIRE(counter->enable());
  // When its period is set, a software event raises one at once and goes on with the period before (Linux,
  // perf_swevent_set_period); a hardware one does neither.
  const auto ask = [&](std::uint64_t faults) {
    for (int i = 0; i < 2; ++i) {
      REQUIRE(counter->interrupt_after(faults));
      pages.touch(1);
    }
    raised = 0;
  };
  ask(50);
  pages.touch(40);
  CHECK(raised == 0);
  pages.touch(30);
  CHECK(raised == 1);
  pages.touch(50);
  CHECK(raised == 2);  // and again, until asked anew
  ask(0);
  pages.touch(200);
  CHECK(raised == 0);
  ask(20);
  PmuCounter moved = std::move(*counter);
  watched = &moved;
  pages.touch(30);
  CHECK(raised == 1);
  ::raise(kCounterSignal);
  CHECK(raised == 101);  // somebody else's
  ::sigaction(kCounterSignal, &old, nullptr);
}

TEST_CASE("a counter that counts something else is rejected, one that cannot be opened too") {
  // Page faults and context switches, which the loops have next to none of.
  for (const std::uint64_t config : {PERF_COUNT_SW_PAGE_FAULTS, PERF_COUNT_SW_CONTEXT_SWITCHES}) {
    PmuEvent event = event_of(CoreKind::Only);
    event.config = config;
    const PmuCandidate candidate =
        try_pmu(event, {.name = "software", .type = PERF_TYPE_SOFTWARE, .cpus = {}, .frozen_in_smm = {}});
    CHECK_FALSE(candidate.measured.has_value());
    CHECK((candidate.problem.starts_with("it counts ") || candidate.problem.starts_with("perf_event_open: ")));
  }
  const PmuCandidate nowhere =
      try_pmu(event_of(CoreKind::Only), {.name = "none", .type = 0x7fff'ffff, .cpus = {}, .frozen_in_smm = {}});
  CHECK(nowhere.problem.starts_with("perf_event_open: "));
  const PmuCandidate elsewhere =
      try_pmu(event_of(CoreKind::Only), {.name = "cpu_core", .type = 4, .cpus = {1023}, .frozen_in_smm = {}});
  CHECK(elsewhere.problem.find("may not use the CPUs of cpu_core") != std::string::npos);
}

// On a machine with counters this is the real thing; without, it must say what is missing.
TEST_CASE("this machine's counter is examined") {
  const PmuReport report = examine_pmu();
  const TickSourceChoice choice = choose_tick_source(report);
  MESSAGE(choice.name << ": " << choice.reason);
  CHECK_FALSE(choice.reason.empty());
  CHECK(choice.reason.find('\n') == std::string::npos);
  if (choice.event) {
    REQUIRE(choice.device.has_value());
    CHECK(choice.name == "pmu:" + std::string(choice.event->name));
    const Result<PmuCounter> counter = PmuCounter::open(choice.device->type, choice.event->config, 0);
    REQUIRE(counter.has_value());
    CHECK(counter->read().value_or(1) == 0);  // it does not count before it is enabled
  } else {
    CHECK(choice.name == "software");
    for (const PmuCandidate& candidate : report.candidates) CHECK((!candidate.problem.empty() || report.elided_locks));
  }
}
