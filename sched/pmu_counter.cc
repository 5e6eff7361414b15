#include "sched/pmu_counter.h"

#include <cpuid.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <charconv>
#include <cstring>
#include <fstream>
#include <utility>

namespace tmrec::sched {
namespace {

// As good as never, and below the sign bit, which perf_event_open(2) refuses.
constexpr std::uint64_t kNever = 1ull << 62;

std::optional<std::string> first_line(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::string line;
  if (!std::getline(in, line)) return std::nullopt;
  return line;
}

std::optional<long> number_in(const std::filesystem::path& file) {
  const std::optional<std::string> line = first_line(file);
  long value = 0;
  if (!line || std::from_chars(line->data(), line->data() + line->size(), value).ec != std::errc{}) return std::nullopt;
  return value;
}

bool in_virtual_machine() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  __cpuid(1, a, b, c, d);
  return c >> 31 & 1;  // Intel SDM and AMD APM: never set by hardware; hypervisors set it
}

}  // namespace

std::vector<int> parse_cpu_list(const std::string& list) {
  constexpr int kMost = 1 << 16;
  std::vector<int> cpus;
  const char* at = list.data();
  const char* const end = at + list.size();
  while (at < end) {
    int first = 0;
    const auto [after, error] = std::from_chars(at, end, first);
    if (error != std::errc{}) {
      ++at;
      continue;
    }
    at = after;
    int last = first;
    if (at < end && *at == '-') {
      const auto [after_last, bad] = std::from_chars(at + 1, end, last);
      at = bad == std::errc{} ? after_last : at + 1;
    }
    for (int cpu = first; cpu >= 0 && cpu <= last && cpu < kMost; ++cpu) cpus.push_back(cpu);
  }
  return cpus;
}

Result<PmuDevice> find_pmu_device(const PmuEvent& event, const std::filesystem::path& devices) {
  std::vector<std::string> names;
  if (event.core == CoreKind::Performance) names.push_back("cpu_core");
  if (event.core == CoreKind::Efficient) names.push_back("cpu_atom");
  // Of a hybrid CPU with its small cores switched off, the rest is an ordinary one.
  if (event.core != CoreKind::Efficient) names.push_back("cpu");
  for (const std::string& name : names) {
    const std::filesystem::path folder = devices / name;
    const std::optional<long> type = number_in(folder / "type");
    if (!type || *type < 0) continue;
    PmuDevice device{.name = name, .type = static_cast<std::uint32_t>(*type), .cpus = {}, .frozen_in_smm = {}};
    if (const auto cpus = first_line(folder / "cpus")) device.cpus = parse_cpu_list(*cpus);
    if (const auto frozen = number_in(folder / "freeze_on_smi")) device.frozen_in_smm = *frozen != 0;
    return device;
  }
  std::error_code ignored;
  if (!std::filesystem::exists(devices, ignored)) {
    // No /sys here: try what all non-hybrid CPUs have.
    if (event.core == CoreKind::Only)
      return PmuDevice{.name = "cpu", .type = PERF_TYPE_RAW, .cpus = {}, .frozen_in_smm = {}};
    return fail(
        ErrorKind::Machine,
        fmt::format("{} is missing, which names the counters of this hybrid CPU: mount sysfs", devices.string()));
  }
  return fail(ErrorKind::Machine,
              fmt::format("the kernel has no hardware counters (no {} in {})", names.front(), devices.string()));
}

Result<PmuCounter> PmuCounter::open(std::uint32_t type, std::uint64_t config, pid_t tid) {
  perf_event_attr attributes{};
  attributes.type = type;
  attributes.size = sizeof attributes;
  attributes.config = config;
  attributes.sample_period = kNever;
  attributes.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
  attributes.wakeup_events = 1;
  attributes.disabled = 1;
  attributes.pinned = 1;
  attributes.exclude_kernel = 1;
  attributes.exclude_hv = 1;
  attributes.exclude_guest = 1;
  const int fd = static_cast<int>(::syscall(SYS_perf_event_open, &attributes, tid, -1, -1, PERF_FLAG_FD_CLOEXEC));
  if (fd < 0) {
    const int err = errno;
    return std::unexpected(explain_open_failure(err, perf_settings()));
  }
  return PmuCounter(fd);
}

PmuCounter::PmuCounter(PmuCounter&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

PmuCounter& PmuCounter::operator=(PmuCounter&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

PmuCounter::~PmuCounter() {
  if (fd_ >= 0) ::close(fd_);
}

Result<void> PmuCounter::enable() {
  if (::ioctl(fd_, PERF_EVENT_IOC_ENABLE, 0) != 0) return fail_errno("switching the hardware counter on");
  return {};
}

Result<void> PmuCounter::disable() {
  if (::ioctl(fd_, PERF_EVENT_IOC_DISABLE, 0) != 0) return fail_errno("switching the hardware counter off");
  return {};
}

Result<void> PmuCounter::reset() {
  if (::ioctl(fd_, PERF_EVENT_IOC_RESET, 0) != 0) return fail_errno("resetting the hardware counter");
  return {};
}

Result<std::uint64_t> PmuCounter::read() const {
  struct {
    std::uint64_t value, enabled, running;
  } now{};
  const ssize_t got = ::read(fd_, &now, sizeof now);
  if (got < 0) return fail_errno("reading the hardware counter");
  // End of file: a pinned event that could not be counted (perf_event_open(2), "pinned").
  if (got != sizeof now || now.enabled != now.running) {
    return fail(ErrorKind::Machine,
                "the hardware counter was not ours all of the time: another profiler (perf, a watchdog: sysctl "
                "kernel.nmi_watchdog=0) took it, or the task ran on a core without it");
  }
  return now.value;
}

Result<void> PmuCounter::interrupt_after(std::uint64_t events) {
  // The new period begins now (Linux, perf_event_period).
  std::uint64_t period = events == 0 ? kNever : events;
  if (::ioctl(fd_, PERF_EVENT_IOC_PERIOD, &period) != 0) return fail_errno("setting the hardware counter's period");
  return {};
}

Result<void> PmuCounter::send_interrupts_to(pid_t tid) {
  const f_owner_ex owner{F_OWNER_TID, tid};
  if (::fcntl(fd_, F_SETOWN_EX, &owner) != 0 || ::fcntl(fd_, F_SETSIG, kCounterSignal) != 0 ||
      ::fcntl(fd_, F_SETFL, O_ASYNC) != 0)
    return fail_errno("directing the hardware counter's signal");
  return {};
}

bool PmuCounter::raised(const siginfo_t& info) const {
  // Linux, send_sigio_to_task: positive codes are the kernel's, which no process can forge.
  return info.si_signo == kCounterSignal && (info.si_code == POLL_IN || info.si_code == POLL_HUP) && info.si_fd == fd_;
}

PerfSettings perf_settings() {
  PerfSettings settings;
  if (const auto level = number_in("/proc/sys/kernel/perf_event_paranoid"))
    settings.paranoid = static_cast<int>(*level);
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("Seccomp:")) settings.seccomp = line.ends_with('2');
  }
  settings.virtual_machine = in_virtual_machine();
  return settings;
}

Error explain_open_failure(int err, const PerfSettings& settings) {
  const std::string what = fmt::format("perf_event_open: {}", std::strerror(err));
  std::string why;
  switch (err) {
    case EACCES:
    case EPERM:
      if (settings.paranoid && *settings.paranoid > 2) {
        why = fmt::format("kernel.perf_event_paranoid is {}: sysctl kernel.perf_event_paranoid=2, or add CAP_PERFMON",
                          *settings.paranoid);
      } else if (settings.seccomp) {
        why =
            "a seccomp filter, probably the container's: allow perf_event_open in it (docker: --security-opt "
            "seccomp=unconfined, or a profile with it)";
      } else {
        why = "a security module (SELinux, AppArmor, lockdown) forbids it, or the task is another user's";
      }
      break;
    case ENOSYS:
      why = settings.seccomp ? "a seccomp filter hides it: allow perf_event_open in it"
                             : "this kernel is built without CONFIG_PERF_EVENTS, or is a sandbox's (gVisor)";
      break;
    case ENOENT:
    case ENODEV:
    case ENXIO:
      why = settings.virtual_machine ? "this virtual machine does not pass hardware counters on; its host decides"
                                     : "the kernel does not know the event on this CPU";
      break;
    case EOPNOTSUPP:
      why = "the counter cannot raise interrupts here (no local APIC, or a hypervisor's limit)";
      break;
    case EINVAL:
      why = "the kernel does not know a part of the event: it is older than the CPU";
      break;
    case EBUSY:
      why = "another profiler uses the counters exclusively";
      break;
    case EMFILE:
      why = "too many open files: raise ulimit -n";
      break;
    default:
      why = "not foreseen";
      break;
  }
  return {ErrorKind::Machine, what + ": " + why};
}

}  // namespace tmrec::sched
