#include "tests/fuzz/watched_run.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <stdexcept>

namespace tmrec::fuzz {

namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kGrace = std::chrono::seconds(3);  // for the stubs of a replayer that has just ended

[[noreturn]] void become(const std::vector<std::string>& argv, const std::filesystem::path& errors) {
  setsid();
  const int null = open("/dev/null", O_RDWR);
  const int err = open(errors.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  dup2(null, STDIN_FILENO);
  dup2(null, STDOUT_FILENO);
  dup2(err, STDERR_FILENO);
  constexpr rlimit kNone{0, 0};
  setrlimit(RLIMIT_CORE, &kNone);
  std::vector<char*> words;
  for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  execv(words[0], words.data());
  _exit(126);
}

// Children of this process, by their status files: orphans are among them.
std::vector<pid_t> children() {
  std::ifstream in("/proc/thread-self/children");
  std::vector<pid_t> found;
  for (pid_t pid = 0; in >> pid;) found.push_back(pid);
  return found;
}

// Waits for orphans to end by themselves, then ends them; how many.
int end_orphans() {
  const auto until = Clock::now() + kGrace;
  int ended = 0;
  for (;;) {
    const pid_t done = waitpid(-1, nullptr, WNOHANG | __WALL);
    if (done < 0) return ended;
    if (done > 0) continue;
    if (Clock::now() > until) {
      for (const pid_t pid : children()) ended += kill(pid, SIGKILL) == 0 ? 1 : 0;
    }
    usleep(1000);
  }
}

}  // namespace

void adopt_orphans() {
  if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) throw std::runtime_error("PR_SET_CHILD_SUBREAPER is refused");
}

WatchedRun run_watched(const std::vector<std::string>& argv, std::chrono::seconds limit,
                       const std::filesystem::path& scratch) {
  const auto errors = scratch / "errors";
  WatchedRun run;
  const pid_t pid = fork();
  if (pid < 0) throw std::runtime_error("cannot fork");
  if (pid == 0) become(argv, errors);
  const int handle = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  if (handle < 0) throw std::runtime_error("pidfd_open is refused");
  pollfd ended{handle, POLLIN, 0};
  run.timed_out = poll(&ended, 1, static_cast<int>(std::chrono::milliseconds(limit).count())) == 0;
  close(handle);
  if (run.timed_out) kill(pid, SIGKILL);
  int status = 0;
  rusage used{};
  while (wait4(pid, &status, 0, &used) < 0) {
  }
  run.signalled = WIFSIGNALED(status);
  run.status = run.signalled ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  run.max_resident_kb = used.ru_maxrss;
  run.survivors = end_orphans();
  std::ifstream in(errors, std::ios::binary);
  run.errors.resize(64 << 10);
  in.read(run.errors.data(), static_cast<std::streamsize>(run.errors.size()));
  run.errors.resize(static_cast<std::size_t>(in.gcount()));
  return run;
}

}  // namespace tmrec::fuzz
