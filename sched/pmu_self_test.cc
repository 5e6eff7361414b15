#include "sched/pmu_self_test.h"

#include <cpuid.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstring>
#include <thread>

#include "sched/counted_code.h"

namespace tmrec::sched {
namespace {

// What the child reports, through a pipe.
struct Outcome {
  PmuMeasurement measured;
  char problem[400] = {};
  char advice[400] = {};
};

// A problem found: the text and what to do.
struct Trouble {
  std::string problem, advice;
};

// The count over `body`, with the constant cost of reading around it.
template <class Body>
Result<std::uint64_t> count_over(const PmuCounter& counter, const Body& body) {
  TMREC_TRY(const std::uint64_t before, counter.read());
  body();
  TMREC_TRY(const std::uint64_t after, counter.read());
  return after - before;
}

// Counts many rounds, several times; one round has the same constant cost.
template <class Body>
std::optional<Trouble> count_exactly(const PmuCounter& counter, std::uint64_t rounds, std::uint64_t per_round,
                                     int times, PmuMeasurement& measured, const Body& body) {
  for (int i = 0; i < times; ++i) {
    const Result<std::uint64_t> one = count_over(counter, [&] { body(1); });
    if (!one) return Trouble{one.error().text, {}};
    const Result<std::uint64_t> many = count_over(counter, [&] { body(rounds); });
    if (!many) return Trouble{many.error().text, {}};
    const std::uint64_t expected = (rounds - 1) * per_round;
    const std::uint64_t counted = *many - *one;
    if (counted != expected)
      return Trouble{fmt::format("it counts {} where there are {} conditional branches", counted, expected), {}};
    measured.counted += counted;
  }
  return std::nullopt;
}

std::optional<Trouble> check_locks(const PmuCounter& counter, const PmuEvent& event, std::uint32_t type,
                                   PmuMeasurement& measured) {
  const char* const kSwitchOff =
      "set bit 54 of MSR C001_1020 on every CPU to switch SpecLockMap off (modprobe msr; on Zen and Zen+ the kernel "
      "keeps "
      "a copy of that register and must be told, see rr's documentation on Zen)";
  alignas(64) static std::uint64_t word = 0;
  if (event.quirks & kSpecLockMap) {
    // The event is not documented for every Zen; where it can't be opened the loop below has to do.
    if (Result<PmuCounter> commits = PmuCounter::open(type, kSpecLockMapCommits, 0); commits && commits->enable()) {
      const Result<std::uint64_t> seen = count_over(*commits, [] { run_locked(1000, &word); });
      if (seen && *seen > 0)
        return Trouble{"SpecLockMap is on: branches after locked instructions count twice at times", kSwitchOff};
    }
  }
  std::atomic<bool> stop = false;
  std::thread rival([&] {
    while (!stop.load(std::memory_order_relaxed)) __atomic_fetch_add(&word, 2, __ATOMIC_RELAXED);
  });
  auto trouble = count_exactly(counter, 20'000, kPerLockedRound, 10, measured,
                               [](std::uint64_t rounds) { run_locked(rounds, &word); });
  stop = true;
  rival.join();
  if (trouble) {
    trouble->problem += " next to locked instructions";
    if (event.quirks & kSpecLockMap) trouble->advice = kSwitchOff;
  }
  return trouble;
}

// Written by the handler.
const PmuCounter* interrupting = nullptr;
volatile std::sig_atomic_t interrupt_seen = 0;
volatile std::uint64_t count_at_interrupt = 0;

void on_interrupt(int, siginfo_t* info, void*) {
  if (!interrupting->raised(*info)) return;
  const Result<std::uint64_t> now = interrupting->read();
  count_at_interrupt = now.value_or(0);
  interrupt_seen = 1;
}

std::optional<Trouble> check_interrupts(PmuCounter& counter, const PmuEvent& event, PmuMeasurement& measured) {
  interrupting = &counter;
  struct sigaction action{};
  action.sa_sigaction = on_interrupt;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  ::sigaction(kCounterSignal, &action, nullptr);
  sigset_t ours;
  ::sigemptyset(&ours);
  ::sigaddset(&ours, kCounterSignal);
  ::sigprocmask(SIG_UNBLOCK, &ours, nullptr);
  if (auto sent = counter.send_interrupts_to(::gettid()); !sent) return Trouble{sent.error().text, {}};
  for (std::uint64_t i = 0; i < 40; ++i) {
    const std::uint64_t asked = 1000 + 997 * i;
    const Result<std::uint64_t> before = counter.read();
    interrupt_seen = 0;
    if (!before || !counter.interrupt_after(asked)) return Trouble{"its period cannot be set", {}};
    run_branches(asked / kPerRound + event.skid_bound + 20'000);
    if (!counter.interrupt_after(0)) return Trouble{"its period cannot be set", {}};
    if (interrupt_seen == 0) return Trouble{"its interrupts do not come", {}};
    if (count_at_interrupt < *before + asked) return Trouble{"its interrupts come too early", {}};
    const std::uint64_t skid = count_at_interrupt - *before - asked;
    measured.worst_skid = std::max(measured.worst_skid, skid);
    ++measured.interrupts;
    if (skid > event.skid_bound)
      return Trouble{fmt::format("an interrupt came {} branches late, more than {}", skid, event.skid_bound), {}};
  }
  return std::nullopt;
}

// A CPU that the unit counts on and that we may use.
bool pin_to(const PmuDevice& device) {
  cpu_set_t allowed;
  if (device.cpus.empty()) return true;
  if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) return false;
  for (const int cpu : device.cpus) {
    if (cpu >= CPU_SETSIZE || !CPU_ISSET(static_cast<unsigned>(cpu), &allowed)) continue;
    // To all of them, so that the rival of the lock test has a CPU of its own.
    cpu_set_t ours;
    CPU_ZERO(&ours);
    for (const int other : device.cpus) {
      if (other < CPU_SETSIZE && CPU_ISSET(static_cast<unsigned>(other), &allowed))
        CPU_SET(static_cast<unsigned>(other), &ours);
    }
    return ::sched_setaffinity(0, sizeof ours, &ours) == 0;
  }
  return false;
}

std::optional<Trouble> try_counter(const PmuEvent& event, const PmuDevice& device, PmuMeasurement& measured) {
  if (!pin_to(device)) return Trouble{fmt::format("this process may not use the CPUs of {}", device.name), {}};
  Result<PmuCounter> counter = PmuCounter::open(device.type, event.config, 0);
  if (!counter) return Trouble{counter.error().text, {}};
  if (auto on = counter->enable(); !on) return Trouble{on.error().text, {}};
  if (auto trouble = count_exactly(*counter, 200'000, kPerRound, 20, measured, run_branches)) return trouble;
  if (auto trouble = check_interrupts(*counter, event, measured)) return trouble;
  return check_locks(*counter, event, device.type, measured);
}

void copy_text(char (&to)[400], const std::string& text) {
  std::memcpy(to, text.data(), std::min(text.size(), sizeof to - 1));
}

// Reads the child's outcome; nullopt when it hangs or dies.
std::optional<Outcome> outcome_from(int fd) {
  constexpr int kTimeoutMs = 10'000;
  Outcome outcome;
  pollfd ready{fd, POLLIN, 0};
  if (::poll(&ready, 1, kTimeoutMs) != 1) return std::nullopt;
  if (::read(fd, &outcome, sizeof outcome) != sizeof outcome) return std::nullopt;
  return outcome;
}

}  // namespace

PmuCandidate try_pmu(const PmuEvent& event, const PmuDevice& device) {
  PmuCandidate candidate{.event = event, .device = device, .measured = {}, .problem = {}, .advice = {}};
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    candidate.problem = "it could not be tried: no pipe";
    return candidate;
  }
  const pid_t child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    Outcome outcome;
    if (const auto trouble = try_counter(event, device, outcome.measured)) {
      copy_text(outcome.problem, trouble->problem);
      copy_text(outcome.advice, trouble->advice);
    }
    ::_exit(::write(ends[1], &outcome, sizeof outcome) == sizeof outcome ? 0 : 1);
  }
  ::close(ends[1]);
  const std::optional<Outcome> outcome = child > 0 ? outcome_from(ends[0]) : std::nullopt;
  ::close(ends[0]);
  if (child > 0) {
    ::kill(child, SIGKILL);
    while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  if (!outcome) {
    candidate.problem = "it could not be tried: the test did not end";
    return candidate;
  }
  candidate.problem = outcome->problem;
  candidate.advice = outcome->advice;
  if (candidate.problem.empty()) candidate.measured = outcome->measured;
  return candidate;
}

PmuReport examine_pmu() {
  PmuReport report{.cpu = current_cpu_id(), .candidates = {}};
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
    report.elided_locks = b >> 4 & 1;
    report.transactions = b >> 11 & 1;
  }
  for (const PmuEvent& event : pmu_events(report.cpu)) {
    const Result<PmuDevice> device = find_pmu_device(event);
    if (device) {
      report.candidates.push_back(try_pmu(event, *device));
    } else {
      const char* const advice =
          perf_settings().virtual_machine
              ? "this virtual machine passes no counters on; its host decides (QEMU: -cpu host,pmu=on)"
              : "";
      report.candidates.push_back({event, {}, {}, device.error().text, advice});
    }
    if (report.candidates.back().problem.empty()) break;
  }
  return report;
}

TickSourceChoice choose_tick_source(const PmuReport& report) {
  TickSourceChoice choice{.name = "software", .reason = {}, .advice = {}, .event = {}, .device = {}};
  if (report.candidates.empty()) {
    choice.reason = fmt::format("no event for conditional branches is known for this CPU ({})", describe(report.cpu));
    return choice;
  }
  for (const PmuCandidate& candidate : report.candidates) {
    if (!candidate.problem.empty() || !candidate.measured || !candidate.device) continue;
    if (report.elided_locks && candidate.event.quirks & kTransactions) {
      choice.reason = "this CPU elides locks (HLE), and the counter counts branches of attempts that were rolled back";
      choice.advice = "boot with tsx=off, or update the microcode, which switches it off on most models";
      return choice;
    }
    choice.name = fmt::format("pmu:{}", candidate.event.name);
    choice.reason = fmt::format(
        "the hardware counter counted {} conditional branches exactly, {} interrupts came at most "
        "{} branches late (bound {})",
        candidate.measured->counted, candidate.measured->interrupts, candidate.measured->worst_skid,
        candidate.event.skid_bound);
    if (candidate.event.quirks & kSystemManagement && candidate.device->frozen_in_smm == false)
      choice.advice = fmt::format("firmware interrupts are counted too: echo 1 > {}/{}/freeze_on_smi",
                                  kPmuDevices.string(), candidate.device->name);
    choice.event = candidate.event;
    choice.device = candidate.device;
    return choice;
  }
  choice.reason = report.candidates.front().problem;
  choice.advice = report.candidates.front().advice;
  return choice;
}

}  // namespace tmrec::sched
