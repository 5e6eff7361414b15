#include "cli/probe_child.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <csignal>

namespace tmrec::cli {

ProbeChild::ProbeChild(const std::function<int()>& body, bool gated) {
  int gate[2];
  if (::pipe2(gate, O_CLOEXEC) != 0) return;
  pid_ = ::fork();
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::close(gate[1]);
    char c = 0;
    if (gated && ::read(gate[0], &c, 1) != 1) ::_exit(127);
    ::_exit(body());
  }
  ::close(gate[0]);
  gate_ = gate[1];
}

ProbeChild::~ProbeChild() {
  if (gate_ >= 0) ::close(gate_);
  if (pid_ <= 0 || reaped_) return;
  ::kill(pid_, SIGKILL);
  // A tracer may see other stops of the child before its end.
  int status = 0;
  while (::waitpid(pid_, &status, __WALL) == pid_ && !WIFEXITED(status) && !WIFSIGNALED(status)) {
  }
}

void ProbeChild::release() {
  if (gate_ >= 0 && ::write(gate_, "", 1) != 1) ::kill(pid_, SIGKILL);
}

std::optional<int> ProbeChild::wait() {
  constexpr timespec kStep{0, 500'000};
  for (int i = 0; pid_ > 0 && !reaped_ && i < 4000; ++i) {
    int status = 0;
    const pid_t got = ::waitpid(pid_, &status, WNOHANG | __WALL);
    if (got < 0) return std::nullopt;
    if (got == pid_) {
      reaped_ = WIFEXITED(status) || WIFSIGNALED(status);
      return status;
    }
    ::nanosleep(&kStep, nullptr);
  }
  return std::nullopt;
}

bool ProbeChild::succeeded() {
  const std::optional<int> status = wait();
  return status && WIFEXITED(*status) && WEXITSTATUS(*status) == 0;
}

}  // namespace tmrec::cli
