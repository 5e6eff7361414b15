#include "recorder/rescue.h"

#include <sched.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "recorder/give_back.h"
#include "recorder/ledger.h"
#include "recorder/process_tree.h"
#include "tracee/agent/agent.h"
#include "tracee/fork_room.h"
#include "tracee/interrupted.h"
#include "tracee/proc.h"

namespace tmrec::recorder {

namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kPatience = std::chrono::seconds(2);  // for a task to stop; one in an uninterruptible wait is left alone
constexpr auto kChildPatience = std::chrono::seconds(20);  // for a killed one to end
constexpr int kRounds = 5;                                 // tasks are born while others are found

struct Stat {
  pid_t parent = 0;
  unsigned long long started = 0;  // clock ticks since boot
};

std::optional<Stat> stat_of(pid_t pid) {
  const auto text = tracee::read_file(fmt::format("/proc/{}/stat", pid));
  const std::size_t name_end = text ? text->rfind(')') : std::string::npos;
  Stat stat;
  if (name_end == std::string::npos ||
      std::sscanf(text->c_str() + name_end + 1,
                  " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu", &stat.parent,
                  &stat.started) != 2) {
    return std::nullopt;
  }
  return stat;
}

bool is_marked(pid_t pid) {
  const auto personality = tracee::read_file(fmt::format("/proc/{}/personality", pid));
  if (!personality || (std::stoul("0" + *personality, nullptr, 16) & ADDR_NO_RANDOMIZE) == 0) return false;
  const auto status = tracee::read_file(fmt::format("/proc/{}/status", pid));
  return status && status->find("TracerPid:\t0\n") != std::string::npos;
}

// Whether this thread is its tracer already. One that is born while its parent is seized, by a call that the supervisor
// was there to see the beginning of, is attached to whoever traces the parent then (kernel/fork.c, copy_process).
bool is_ours(pid_t tid) {
  const auto status = tracee::read_file(fmt::format("/proc/{}/status", tid));
  return status && status->contains(fmt::format("TracerPid:\t{}\n", gettid()));
}

// Processes of the recording, orphans too.
std::vector<pid_t> recorded_processes(pid_t program) {
  const pid_t self = getpid();
  const auto own = stat_of(self);
  std::vector<std::pair<pid_t, Stat>> others;
  for (const pid_t pid : numbers_in("/proc")) {
    const auto stat = stat_of(pid);
    if (pid != self && stat && own && stat->started >= own->started) others.emplace_back(pid, *stat);
  }
  std::vector<pid_t> found{program};
  for (std::size_t i = 0; i < found.size(); ++i) {
    for (const auto& [pid, stat] : others) {
      if (stat.parent == found[i] && std::ranges::count(found, pid) == 0) found.push_back(pid);
    }
  }
  for (const auto& [pid, stat] : others) {
    if (std::ranges::count(found, pid) == 0 && is_marked(pid)) found.push_back(pid);
  }
  return found;
}

// Whose parent is sent no signal when they end; as the parent knows them.
std::vector<pid_t> silent_children_of(pid_t process) {
  std::vector<pid_t> found;
  for (const pid_t child : children_of(process)) {
    const auto stat = tracee::read_file(fmt::format("/proc/{}/stat", child));
    const auto status = tracee::read_file(fmt::format("/proc/{}/status", child));
    const std::size_t name_end = stat ? stat->rfind(')') : std::string::npos;
    if (name_end == std::string::npos || !status) continue;
    constexpr int kExitSignal = 38, kBehindName = 3;  // fields, proc(5)
    std::size_t at = name_end + 2;
    for (int field = kBehindName; field < kExitSignal && at != 0; ++field) at = stat->find(' ', at) + 1;
    if (at == 0 || stat->compare(at, 2, "0 ") != 0) continue;
    const std::size_t names = status->find("NSpid:");
    const std::size_t end = names == std::string::npos ? names : status->find('\n', names);
    if (end == std::string::npos) continue;
    found.push_back(std::atoi(status->c_str() + status->find_last_of(" \t", end) + 1));
  }
  return found;
}

// Those that the supervisor has made, which died with it.
std::vector<pid_t> children_to_wait_for(const Ledger& ledger, pid_t process) {
  std::vector<pid_t> children = ledger.children(process);
  const bool knows_all = std::erase(children, Ledger::kUnknown) == 0;
  if (children.empty() && knows_all) return {};
  std::vector<pid_t> there = silent_children_of(process);
  std::erase_if(there, [&](pid_t child) { return knows_all && std::ranges::count(children, child) == 0; });
  return there;
}

// A thread being helped.
struct Patient {
  pid_t tid;
  std::optional<tracee::Stopped> stopped;
  int signal = 0;  // was about to be delivered
  bool gone = false;
  tracee::Stop stop;
  std::optional<std::chrono::nanoseconds> ran;  // last_ran() before it was interrupted
};

class Rescue {
 public:
  explicit Rescue(pid_t program, const Ledger* ledger = nullptr) : program_(program), ledger_(ledger) {
    // The calling process was not pinned to the recording's CPU.
    sched_getaffinity(0, sizeof affinity_, &affinity_);
  }

  // True: there was something to do.
  bool help(const std::vector<pid_t>& processes) {
    bool any = false;
    for (const pid_t pid : processes) any = help_process(pid) || any;
    return any;
  }

  std::optional<int> program_status() const { return program_status_; }

 private:
  bool help_process(pid_t pid) {
    std::vector<Patient> patients;
    for (const pid_t tid : threads_of(pid)) {
      if (helped_.contains(tid)) continue;
      helped_.insert(tid);
      Patient patient{.tid = tid, .stopped = {}, .stop = {}, .ran = tracee::last_ran(tid)};
      if (ptrace(PTRACE_SEIZE, tid, 0, PTRACE_O_TRACESYSGOOD) < 0 && !is_ours(tid)) continue;
      ptrace(PTRACE_INTERRUPT, tid, 0, 0);
      patients.push_back(std::move(patient));
    }
    if (patients.empty()) return false;
    if (await_stops(patients) && !is_copy(pid, patients)) give_back_to(pid, patients);
    for (Patient& patient : patients) {
      if (patient.stopped) std::move(*patient.stopped).detach(patient.signal);
    }
    return true;
  }

  // Of the program's memory, which the supervisor was making: left alone it ends by itself.
  static bool is_copy(pid_t pid, const std::vector<Patient>& patients) {
    const auto memory = tracee::RemoteMemory::open(pid);
    const auto maps = tracee::read_maps(pid);
    if (!memory || !maps || patients.size() != 1 || !patients.front().stopped) return false;
    const auto vdso = std::ranges::find(*maps, "[vdso]", &tracee::MapsLine::name);
    return vdso != maps->end() &&
           tracee::ends_in_fork_room(*memory, vdso->start, vdso->end - vdso->start, patients.front().stopped->regs());
  }

  bool await_stops(std::vector<Patient>& patients) {
    const auto until = Clock::now() + kPatience;
    for (Patient& patient : patients) {
      while (!patient.stopped && !patient.gone) {
        int status = 0;
        const pid_t done = waitpid(patient.tid, &status, __WALL | WNOHANG);
        if (done == patient.tid) {
          note_stop(patient, status);
        } else if (done < 0) {
          patient.gone = true;
        } else if (Clock::now() > until) {
          return false;
        } else {
          usleep(200);
        }
      }
    }
    return true;
  }

  void note_stop(Patient& patient, int status) {
    const tracee::Stop stop = tracee::decode_wait_status(status);
    if (stop.kind == tracee::Stop::Kind::Exited) {
      patient.gone = true;
      if (patient.tid == program_) program_status_ = status;
      return;
    }
    patient.stopped = tracee::Running(patient.tid).stopped();
    patient.stop = stop;
    if (stop.kind == tracee::Stop::Kind::Signal) patient.signal = stop.signal;
  }

  void give_back_to(pid_t pid, std::vector<Patient>& patients) {
    std::vector<LeavingTask> tasks(patients.size());
    std::vector<LeavingTask*> leaving;
    const auto memory = tracee::RemoteMemory::open(pid);
    for (std::size_t i = 0; i < patients.size(); ++i) {
      Patient& patient = patients[i];
      if (!patient.stopped) continue;
      LeavingTask& task = tasks[i];
      task.task = &*patient.stopped;
      task.stop = patient.stop;
      task.own.affinity = affinity_;
      const RemoteAddr area(patient.stopped->regs().gs_base);
      if (memory && agent::is_area(area.value)) task.kept = agent::kept(*memory, area);
      const OwnSettings* const own = ledger_ != nullptr ? ledger_->find(patient.tid, pid) : nullptr;
      if (own != nullptr) task.own = *own;
      if (task.own.tid != patient.tid) task.own.rseq = 0;
      if (const auto ran = tracee::last_ran(patient.tid); ran && patient.ran) task.waited = *ran - *patient.ran;
      if (ledger_ != nullptr && leaving.empty()) task.children = children_to_wait_for(*ledger_, pid);
      leaving.push_back(&task);
    }
    // A launched program keeps the vdso it began with, and the areas its trampolines count in.
    give_back(leaving, nullptr, ledger_ != nullptr, ledger_ == nullptr || ledger_->cpuid_trapped);
    for (std::size_t i = 0; i < patients.size(); ++i) patients[i].signal = tasks[i].signal;
  }

  pid_t program_;
  const Ledger* ledger_;
  cpu_set_t affinity_{};
  std::set<pid_t> helped_;
  std::optional<int> program_status_;
};

std::vector<pid_t> attached_processes(const Ledger& ledger) {
  std::vector<pid_t> processes;
  for (std::uint32_t entry = 0; entry < ledger.size(); ++entry) {
    for (const pid_t pid : descendants(ledger[entry].process)) {
      if (std::ranges::count(processes, pid) == 0) processes.push_back(pid);
    }
  }
  return processes;
}

}  // namespace

// A tracer that ends lets go of its tasks, also of those that have not stopped yet, so a thread of its own does it.
void rescue_attached(const Ledger& ledger) {
  std::jthread([&ledger] {
    Rescue rescue(0, &ledger);
    for (int i = 0; i < kRounds; ++i) {
      if (!rescue.help(attached_processes(ledger))) break;
    }
    // On a busy machine it takes a process a while to die. The program is not to wait for that.
    const auto until = Clock::now() + kChildPatience;
    for (const pid_t process : attached_processes(ledger)) {
      while (!children_to_wait_for(ledger, process).empty() && Clock::now() < until) {
        usleep(20'000);
        const auto children = children_of(process);
        if (std::ranges::any_of(children, [](pid_t child) { return tracee::task_state(child) == 'Z'; }))
          Rescue(0, &ledger).help({process});
      }
    }
  });
}

std::optional<int> rescue_tasks(pid_t program) {
  std::optional<int> status;
  std::jthread([&status, program] {
    Rescue rescue(program);
    rescue.help(descendants(program));  // quickly: each of them may be about to execute rdtsc
    for (int i = 0; i < kRounds && rescue.help(recorded_processes(program)); ++i) {
    }
    status = rescue.program_status();
  });
  return status;
}

}  // namespace tmrec::recorder
