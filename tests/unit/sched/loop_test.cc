// The loop with forked children and the simplest lives.
#include "sched/loop.h"

#include <doctest/doctest.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <map>
#include <vector>

using namespace tmrec;
using namespace tmrec::sched;
using tracee::Resume;
using tracee::Stop;

namespace {

constexpr long kOptions = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXIT;

// A child that waits to be seized, then runs `body` and exits with its result.
pid_t traced_child(const std::function<int()>& body) {
  pid_t child = fork();
  if (child == 0) {
    raise(SIGSTOP);
    _exit(body());
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, WUNTRACED) == child);
  REQUIRE(ptrace(PTRACE_SEIZE, child, 0, kOptions) == 0);
  REQUIRE(waitpid(child, &status, __WALL) == child);
  kill(child, SIGCONT);
  return child;
}

struct Recorded {
  std::vector<pid_t> holders;
  std::vector<SwitchEvent::Reason> reasons;
  std::map<pid_t, int> ended;
  std::map<pid_t, int> calls;

  Loop::Callbacks callbacks() {
    return {.on_switch =
                [this](pid_t, pid_t to, SwitchEvent::Reason reason) {
                  holders.push_back(to);
                  reasons.push_back(reason);
                },
            .on_exited = [this](pid_t pid, int status) { ended[pid] = status; },
            .on_tick = [] {}};
  }

  // Runs to the end, `after_call` after each call.
  std::function<void(LoopTask&)> life(std::function<void(LoopTask&)> after_call) {
    return [this, after_call](LoopTask& task) {
      try {
        for (int signal = 0;;) {
          Stop stop = task.run(Resume::ToSyscall, signal);
          signal = stop.kind == Stop::Kind::Signal && stop.signal != SIGCONT ? stop.signal : 0;
          if (stop.kind != Stop::Kind::Syscall) continue;
          ++calls[task.tid()];
          task.run_call([] {});
          after_call(task);
        }
      } catch (const TaskEnding&) {
      } catch (const tracee::TaskDied&) {
      }
      if (task.await_exit_stop()) task.await_end();
    };
  }
};

int make_calls(int count) {
  for (int i = 0; i < count; ++i) syscall(SYS_getppid);
  return 5;
}

tracee::Stopped stopped(pid_t tid) { return tracee::Running(tid).stopped(); }

}  // namespace

TEST_CASE("two tasks that yield alternate, and both end") {
  Recorded seen;
  Loop loop(Policy{}, seen.callbacks());
  std::vector<pid_t> tids;
  for (int i = 0; i < 2; ++i) tids.push_back(traced_child([] { return make_calls(20); }));
  for (pid_t tid : tids) {
    loop.add(tid, stopped(tid), seen.life([](LoopTask& task) { task.yield(SwitchEvent::Reason::Yield); }));
  }
  loop.run();
  for (pid_t tid : tids) {
    REQUIRE(seen.ended.contains(tid));
    CHECK(WEXITSTATUS(seen.ended[tid]) == 5);
    CHECK(seen.calls[tid] >= 20);
  }
  CHECK(seen.holders.size() >= 40);
  for (std::size_t i = 1; i < seen.holders.size(); ++i) CHECK(seen.holders[i] != seen.holders[i - 1]);
}

TEST_CASE("a task that blocks gives way to the one it waits for") {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  Recorded seen;
  Loop loop(Policy{}, seen.callbacks());
  pid_t reader = traced_child([&] {
    char byte = 0;
    return read(ends[0], &byte, 1) == 1 ? byte : 99;
  });
  pid_t writer = traced_child([&] { return write(ends[1], "\7", 1) == 1 ? 8 : 99; });
  loop.add(reader, stopped(reader), seen.life([](LoopTask&) {}));
  loop.add(writer, stopped(writer), seen.life([](LoopTask&) {}));
  loop.run();
  close(ends[0]);
  close(ends[1]);
  CHECK(WEXITSTATUS(seen.ended[reader]) == 7);
  CHECK(WEXITSTATUS(seen.ended[writer]) == 8);
  REQUIRE_FALSE(seen.reasons.empty());
  CHECK(std::count(seen.reasons.begin(), seen.reasons.end(), SwitchEvent::Reason::Blocked) >= 1);
}

TEST_CASE("a task killed while it is ready ends, and the others go on") {
  Recorded seen;
  Loop loop(Policy{}, seen.callbacks());
  pid_t victim = traced_child([] { return make_calls(1000); });
  pid_t other = traced_child([] { return make_calls(50); });
  bool killed = false;
  loop.add(other, stopped(other), seen.life([&](LoopTask& task) {
    if (!killed) kill(victim, SIGKILL);
    killed = true;
    task.yield(SwitchEvent::Reason::Yield);
  }));
  loop.add(victim, stopped(victim), seen.life([](LoopTask& task) { task.yield(SwitchEvent::Reason::Yield); }));
  loop.run();
  REQUIRE(seen.ended.contains(victim));
  CHECK(WIFSIGNALED(seen.ended[victim]));
  CHECK(WEXITSTATUS(seen.ended[other]) == 5);
}

TEST_CASE("tasks released in the middle go on by themselves") {
  Recorded seen;
  Loop loop(Policy{}, seen.callbacks());
  pid_t child = traced_child([] { return make_calls(100); });
  loop.add(child, stopped(child), seen.life([&](LoopTask&) {
    if (seen.calls[child] == 10) throw EndRecording{"enough"};
  }));
  CHECK_THROWS_AS(loop.run(), EndRecording);
  int released = 0;
  loop.release_all([&](tracee::Stopped&, const tracee::Stop&) {
    ++released;
    return false;
  });
  CHECK(released == 1);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WEXITSTATUS(status) == 5);
}
