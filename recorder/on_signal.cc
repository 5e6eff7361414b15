#include "recorder/on_signal.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "tracee/proc.h"
#include "tracee/stop.h"

namespace tmrec::recorder {

namespace {

// Everything but what the kernel raises for a fault of the front's own, and what cannot be blocked.
sigset_t handled_signals() {
  sigset_t set;
  sigfillset(&set);
  for (int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT, SIGSYS, SIGPROF}) sigdelset(&set, signal);
  return set;
}

[[noreturn]] void become_service(const std::vector<std::string>& argv, pid_t front, int failure, const sigset_t& mask) {
  // Under Yama's scope 1 the front and its children may trace; elsewhere this fails harmlessly.
  prctl(PR_SET_PTRACER, front, 0, 0, 0);
  std::vector<char*> words;
  for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  sigprocmask(SIG_SETMASK, &mask, nullptr);
  execvp(words[0], words.data());
  const int why = errno;
  (void)!write(failure, &why, sizeof why);
  _exit(127);
}

bool is_traced(pid_t pid) {
  const auto status = tracee::read_file(fmt::format("/proc/{}/status", pid));
  return status && status->find("TracerPid:\t0\n") == std::string::npos;
}

// What a recorder tells the front; in memory that they share.
using Joined = std::atomic<bool>;

Joined* shared_flag() {
  void* const page = mmap(nullptr, sizeof(Joined), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return page == MAP_FAILED ? nullptr : new (page) Joined(false);
}

class Front {
 public:
  Front(const TriggeredService& service, pid_t pid, const sigset_t& inherited)
      : service_(service), pid_(pid), inherited_(inherited), set_(handled_signals()), joined_(shared_flag()) {}

  int run() {
    while (!status_ || recorder_ != 0) {
      reap();
      if (status_ && recorder_ == 0) break;
      siginfo_t info{};
      const int signal = sigwaitinfo(&set_, &info);
      if (signal > 0 && signal != SIGCHLD) take(signal, info);
    }
    return tracee::exit_status_of(*status_);
  }

 private:
  // The service, the recorder, and in a container whatever has lost its parent.
  void reap() {
    int status = 0;
    for (pid_t ended; (ended = waitpid(-1, &status, WNOHANG)) > 0;) {
      if (ended == pid_) status_ = status;
      if (ended == recorder_) recorder_ = 0;
    }
    if (recorder_ == 0 && std::exchange(once_more_, false)) start_recorder();
  }

  void take(int signal, const siginfo_t& info) {
    if (signal == service_.trigger) return start_recorder();
    if (status_) return;
    // What the terminal sends, the service gets by itself.
    const bool from_terminal = info.si_code == SI_KERNEL && getpgid(pid_) == getpgrp();
    const bool stops = signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
    if (!from_terminal) kill(pid_, signal);
    if (stops) raise(SIGSTOP);
  }

  void start_recorder() {
    if (status_) return;
    if (recorder_ != 0) {
      once_more_ = joined_ != nullptr && *joined_ && !is_traced(pid_);
      return;
    }
    if (joined_ != nullptr) *joined_ = false;
    recorder_ = fork();
    if (recorder_ < 0) recorder_ = 0;
    if (recorder_ != 0) return;
    setpgid(0, 0);  // out of the terminal's reach
    sigprocmask(SIG_SETMASK, &inherited_, nullptr);
    _exit(service_.record(pid_, [this] {
      if (joined_ != nullptr) *joined_ = true;
    }));
  }

  const TriggeredService& service_;
  pid_t pid_;
  sigset_t inherited_, set_;
  std::optional<int> status_;
  pid_t recorder_ = 0;
  Joined* const joined_;    // the last recorder has attached to the service
  bool once_more_ = false;  // a trigger came after that had let it go
};

}  // namespace

Result<int> serve(const TriggeredService& service) {
  int failure[2];
  if (pipe2(failure, O_CLOEXEC) < 0) return fail_errno("cannot create a pipe");
  const sigset_t set = handled_signals();
  sigset_t inherited;
  sigprocmask(SIG_BLOCK, &set, &inherited);
  struct sigaction by_default {
  }, on_child{};
  by_default.sa_handler = SIG_DFL;
  sigaction(SIGCHLD, &by_default, &on_child);
  const pid_t front = getpid();
  const pid_t pid = fork();
  if (pid == 0) {
    sigaction(SIGCHLD, &on_child, nullptr);
    become_service(service.argv, front, failure[1], inherited);
  }
  const int fork_failed = errno;
  close(failure[1]);
  int why = 0;
  const bool failed = pid > 0 && read(failure[0], &why, sizeof why) == sizeof why;
  close(failure[0]);
  if (failed) waitpid(pid, nullptr, 0);
  if (pid < 0 || failed) sigprocmask(SIG_SETMASK, &inherited, nullptr);
  if (pid < 0) return fail_errno("cannot start the service", fork_failed);
  if (failed) {
    const ErrorKind kind = why == ENOENT || why == ENOTDIR ? ErrorKind::NotFound : ErrorKind::NotExecutable;
    return fail(kind, fmt::format("cannot execute {}: {}", service.argv[0], std::strerror(why)));
  }
  return Front(service, pid, inherited).run();
}

}  // namespace tmrec::recorder
