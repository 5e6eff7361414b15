#include "recorder/launch.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include <fmt/format.h>

#include "recorder/rescue.h"
#include "recorder/seize.h"
#include "recorder/session.h"
#include "tracee/proc.h"

namespace tmrec::recorder {

namespace {

struct Pipe {
  int read_end = -1, write_end = -1;
  Pipe() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) == 0) {
      read_end = ends[0];
      write_end = ends[1];
    }
  }
  ~Pipe() {
    close_read();
    close_write();
  }
  void close_read() { close_one(read_end); }
  void close_write() { close_one(write_end); }

 private:
  static void close_one(int& fd) {
    if (fd >= 0) close(fd);
    fd = -1;
  }
};

void write_all(int fd, const void* bytes, std::size_t size) {
  const char* at = static_cast<const char*>(bytes);
  while (size > 0) {
    ssize_t n = write(fd, at, size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;  // nobody is reading any more
    at += n;
    size -= static_cast<std::size_t>(n);
  }
}

bool read_all(int fd, void* bytes, std::size_t size) {
  char* at = static_cast<char*>(bytes);
  while (size > 0) {
    ssize_t n = read(fd, at, size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    at += n;
    size -= static_cast<std::size_t>(n);
  }
  return true;
}

// The report as it goes through the pipe; texts follow, the error's first.
struct ReportHeader {
  bool started;
  ErrorKind kind;
  std::uint64_t events;
  std::uint32_t error_size, ended_early_size, keep_size;
  bool as_asked;
  int status;
};

void send_report(int fd, const Report& report) {
  ReportHeader header{report.started,
                      report.error.kind,
                      report.events,
                      static_cast<std::uint32_t>(report.error.text.size()),
                      static_cast<std::uint32_t>(report.ended_early.size()),
                      static_cast<std::uint32_t>(report.keep.size()),
                      report.as_asked,
                      report.status};
  write_all(fd, &header, sizeof header);
  write_all(fd, report.error.text.data(), report.error.text.size());
  write_all(fd, report.ended_early.data(), report.ended_early.size());
  write_all(fd, report.keep.data(), report.keep.size());
}

bool receive_report(int fd, Report& report) {
  ReportHeader header;
  if (!read_all(fd, &header, sizeof header)) return false;
  report.started = header.started;
  report.error.kind = header.kind;
  report.events = header.events;
  report.as_asked = header.as_asked;
  report.status = header.status;
  report.error.text.resize(header.error_size);
  report.ended_early.resize(header.ended_early_size);
  report.keep.resize(header.keep_size);
  return read_all(fd, report.error.text.data(), header.error_size) &&
         read_all(fd, report.ended_early.data(), header.ended_early_size) &&
         read_all(fd, report.keep.data(), header.keep_size);
}

// What the program inherits although tmrec's own processes run with something else.
struct Inheritance {
  sigset_t mask;
  struct sigaction on_child;  // for SIGCHLD
};

// The program's process until its execve.
[[noreturn]] void become_program(const std::vector<std::string>& argv, pid_t supervisor, int go, int failure,
                                 const Inheritance& inherited) {
  // Under Yama's scope 1 only an ancestor may trace; this names the supervisor instead. Elsewhere it fails harmlessly.
  prctl(PR_SET_PTRACER, supervisor, 0, 0, 0);
  char byte;
  if (read(go, &byte, 1) != 1) _exit(127);  // the supervisor gave up
  personality(static_cast<unsigned long>(personality(0xffffffff)) | ADDR_NO_RANDOMIZE);
  std::vector<char*> words;
  for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  sigaction(SIGCHLD, &inherited.on_child, nullptr);
  sigprocmask(SIG_SETMASK, &inherited.mask, nullptr);
  execvp(words[0], words.data());
  int err = errno;
  write_all(failure, &err, sizeof err);
  _exit(127);
}

Error exec_error(const std::string& program, int err) {
  ErrorKind kind = err == ENOENT || err == ENOTDIR ? ErrorKind::NotFound : ErrorKind::NotExecutable;
  return {kind, fmt::format("cannot execute {}: {}", program, std::strerror(err))};
}

Error seize_error(int err) {
  std::string text = fmt::format("cannot trace the program: {}", std::strerror(err));
  if (err == EPERM) {
    auto scope = tracee::read_file("/proc/sys/kernel/yama/ptrace_scope");
    if (scope && scope->starts_with("3")) {
      text += "; kernel.yama.ptrace_scope is 3, which forbids ptrace until the next boot with another value";
    } else if (scope && scope->starts_with("2")) {
      text += "; kernel.yama.ptrace_scope is 2: run as root or set it to 1 (sysctl kernel.yama.ptrace_scope=1)";
    } else {
      text +=
          "; a seccomp profile or a security module forbids ptrace: in a container, allow the ptrace system call "
          "(docker run --cap-add=SYS_PTRACE)";
    }
  }
  return {ErrorKind::Machine, text};
}

tracee::Stop wait_stop(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, __WALL) < 0 && errno == EINTR) {
  }
  return tracee::decode_wait_status(status);
}

// Seizes the program's process and takes it through its execve.
Report supervise_from_exec(pid_t program, const std::vector<std::string>& argv, Pipe& go, Pipe& failure,
                           const std::function<Report(pid_t, tracee::Stopped)>& supervise) {
  using tracee::Stop;
  Report report;
  if (ptrace(PTRACE_SEIZE, program, 0, kTraceOptions) < 0) {
    report.error = seize_error(errno);
    return report;
  }
  write_all(go.write_end, "g", 1);
  failure.close_write();
  bool in_exec = false;
  for (;;) {
    Stop stop = wait_stop(program);
    if (stop.kind == Stop::Kind::Exited) {
      int err = ECHILD;
      read_all(failure.read_end, &err, sizeof err);
      report.error = exec_error(argv[0], err);
      return report;
    }
    tracee::Stopped stopped = tracee::Running(program).stopped();
    if (stop.kind == Stop::Kind::Syscall && in_exec) return supervise(program, std::move(stopped));
    if (stop.kind == Stop::Kind::Exec) in_exec = true;
    auto how = in_exec ? tracee::Resume::ToSyscall : tracee::Resume::Continue;
    if (stop.kind == Stop::Kind::GroupStop) how = tracee::Resume::Listen;
    std::move(stopped).resume(how, stop.kind == Stop::Kind::Signal ? stop.signal : 0);
  }
}

// The limits of tmrec's caller are meant for the program. The supervisor holds a descriptor for each mapped file and
// each address space, and computes and writes for all of them.
void lift_own_limits() {
  for (auto resource : {RLIMIT_NOFILE, RLIMIT_CPU, RLIMIT_FSIZE, RLIMIT_AS, RLIMIT_DATA}) {
    rlimit limit{};
    if (getrlimit(resource, &limit) < 0) continue;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(resource, &limit);
  }
}

// From the front to the supervisor.
constexpr int kSaveSignal = SIGUSR1;

// In the supervisor's process, whose signal mask is still the front's.
void prepare_supervisor(sigset_t mask) {
  setpgid(0, 0);
  struct sigaction action {};
  action.sa_handler = [](int) { ask_to_save(); };
  sigaction(kSaveSignal, &action, nullptr);
  sigdelset(&mask, kSaveSignal);
  sigdelset(&mask, SIGALRM);  // the heartbeat
  sigprocmask(SIG_SETMASK, &mask, nullptr);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);
  signal(SIGXCPU, SIG_IGN);
  signal(SIGTTOU, SIG_IGN);
  lift_own_limits();
}

bool sent_by_recording(const siginfo_t& info, pid_t supervisor) {
  auto status = tracee::read_file(fmt::format("/proc/{}/status", info.si_pid));
  return status && status->find(fmt::format("TracerPid:\t{}\n", supervisor)) != std::string::npos;
}

constexpr std::array kPassedOn{SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH, SIGALRM};

sigset_t front_signals(int trigger) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  if (trigger != 0) sigaddset(&set, trigger);
  for (int signal : kPassedOn) sigaddset(&set, signal);
  return set;
}

// Until program and supervisor have ended.
int front_loop(pid_t program, pid_t supervisor, int trigger, bool& supervisor_died) {
  sigset_t set = front_signals(trigger);
  int program_status = 0;
  bool program_lives = true, supervisor_lives = true;
  while (program_lives || supervisor_lives) {
    int status = 0;
    pid_t pid = waitpid(-1, &status, WNOHANG);
    if (pid == program) {
      program_status = status;
      program_lives = false;
    } else if (pid == supervisor) {
      supervisor_died = !WIFEXITED(status);
      supervisor_lives = false;
      if (supervisor_died && program_lives) {
        if (const auto ended = rescue_tasks(program)) {
          program_status = *ended;
          program_lives = false;
        }
      }
    } else if (pid < 0 && errno == ECHILD) {
      break;
    }
    if (pid > 0) continue;
    siginfo_t info{};
    int signal = sigwaitinfo(&set, &info);
    if (signal > 0 && signal == trigger) {
      if (supervisor_lives) kill(supervisor, kSaveSignal);
      continue;
    }
    // What the terminal sends the program gets by itself, unless it has left tmrec's process group.
    const bool from_terminal = info.si_code == SI_KERNEL && program_lives && getpgid(program) == getpgrp();
    if (signal <= 0 || signal == SIGCHLD || from_terminal) continue;
    if (program_lives && !sent_by_recording(info, supervisor)) kill(program, signal);
  }
  return program_status;
}

}  // namespace

Result<Launched> launch(const std::vector<std::string>& argv,
                        const std::function<Report(pid_t, tracee::Stopped)>& supervise, int trigger) {
  Pipe go, failure, program_id, reports;
  if (reports.read_end < 0) return fail_errno("cannot create a pipe");
  sigset_t set = front_signals(trigger);
  Inheritance inherited;
  sigprocmask(SIG_BLOCK, &set, &inherited.mask);
  // Where it is ignored, the kernel discards what waitpid should report (wait(2), NOTES), also to a tracer.
  struct sigaction by_default {};
  by_default.sa_handler = SIG_DFL;
  sigaction(SIGCHLD, &by_default, &inherited.on_child);

  pid_t supervisor = fork();
  if (supervisor < 0) return fail_errno("cannot start the supervisor");
  if (supervisor == 0) {
    prepare_supervisor(inherited.mask);
    program_id.close_write();
    go.close_read();
    reports.close_read();
    pid_t program = 0;
    Report report;
    if (read_all(program_id.read_end, &program, sizeof program)) {
      try {
        report = supervise_from_exec(program, argv, go, failure, supervise);
      } catch (const std::exception& broken) {
        report.started = true;
        report.ended_early = fmt::format("internal error: {}", broken.what());
      }
    }
    send_report(reports.write_end, report);
    _exit(0);
  }
  pid_t program = fork();
  if (program == 0) {
    go.close_write();
    become_program(argv, supervisor, go.read_end, failure.write_end, inherited);
  }
  int fork_errno = errno;
  if (program > 0) write_all(program_id.write_end, &program, sizeof program);
  program_id.close_write();
  go.close_write();
  go.close_read();
  failure.close_write();
  reports.close_write();
  Launched launched;
  launched.status = front_loop(program, supervisor, trigger, launched.supervisor_died);
  bool received = receive_report(reports.read_end, launched.report);
  sigaction(SIGCHLD, &inherited.on_child, nullptr);
  sigprocmask(SIG_SETMASK, &inherited.mask, nullptr);
  if (program < 0) return fail_errno("cannot start the program", fork_errno);
  if (!received) {
    launched.supervisor_died = true;
    launched.report.started = true;
  }
  return launched;
}

Result<Launched> launch_beside(const std::function<Report()>& supervise, const std::function<void()>& rescue,
                               int trigger) {
  Pipe reports;
  if (reports.read_end < 0) return fail_errno("cannot create a pipe");
  sigset_t set, inherited;
  sigemptyset(&set);
  for (int signal : {SIGCHLD, SIGINT, SIGTERM, SIGHUP, SIGQUIT}) sigaddset(&set, signal);
  if (trigger != 0) sigaddset(&set, trigger);
  sigprocmask(SIG_BLOCK, &set, &inherited);
  const auto old_action = signal(SIGCHLD, SIG_DFL);
  const pid_t front = getpid();
  const pid_t supervisor = fork();
  if (supervisor < 0) return fail_errno("cannot start the supervisor");
  if (supervisor == 0) {
    reports.close_read();
    struct sigaction action {};
    action.sa_handler = [](int) { ask_to_end(); };
    sigaction(SIGTERM, &action, nullptr);
    sigset_t mask = inherited;
    sigdelset(&mask, SIGTERM);
    prepare_supervisor(mask);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != front) ask_to_end();
    Report report;
    try {
      report = supervise();
    } catch (const std::exception& broken) {
      report.started = true;
      report.ended_early = fmt::format("internal error: {}", broken.what());
    }
    send_report(reports.write_end, report);
    _exit(0);
  }
  reports.close_write();
  Launched launched;
  for (;;) {
    int status = 0;
    const pid_t done = waitpid(supervisor, &status, WNOHANG);
    if (done == supervisor || (done < 0 && errno == ECHILD)) {
      launched.supervisor_died = !WIFEXITED(status);
      break;
    }
    siginfo_t info{};
    const int got = sigwaitinfo(&set, &info);
    if (got > 0 && got != SIGCHLD) kill(supervisor, got == trigger ? kSaveSignal : SIGTERM);
  }
  if (launched.supervisor_died) rescue();
  if (!receive_report(reports.read_end, launched.report)) {
    launched.supervisor_died = true;
    launched.report.started = true;
  }
  signal(SIGCHLD, old_action);
  sigprocmask(SIG_SETMASK, &inherited, nullptr);
  return launched;
}

}  // namespace tmrec::recorder
