// A log that can't be written any more must never hold up or end the recorded program.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>

#include "format/log.h"
#include "tests/unit/format/samples.h"

using namespace tmrec;

namespace {

// write(2) beyond the limit fails with EFBIG; the signal is blocked in the writing thread. Stands for a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    REQUIRE(getrlimit(RLIMIT_FSIZE, &before_) == 0);
    rlimit now = before_;
    now.rlim_cur = bytes;
    REQUIRE(setrlimit(RLIMIT_FSIZE, &now) == 0);
  }
  ~FileSizeLimit() { setrlimit(RLIMIT_FSIZE, &before_); }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
};

// Keeps a thread of this process stopped, as a disk that does not answer would, by the hand of a child that traces it.
class FrozenThread {
 public:
  explicit FrozenThread(const std::string& name) {
    pid_t thread = 0;
    for (int tries = 0; thread == 0 && tries < 500; ++tries) {
      for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
        std::string comm;
        std::getline(std::ifstream(task.path() / "comm"), comm);
        if (comm == name) thread = std::stoi(task.path().filename().string());
      }
      ::usleep(10'000);  // the thread names itself
    }
    REQUIRE(thread != 0);
    ::prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
    REQUIRE(::pipe2(ready_, O_CLOEXEC) == 0);
    child_ = ::fork();
    REQUIRE(child_ >= 0);
    if (child_ == 0) {
      int status = 0;
      const bool stopped = ::ptrace(PTRACE_SEIZE, thread, nullptr, nullptr) == 0 &&
                           ::ptrace(PTRACE_INTERRUPT, thread, nullptr, nullptr) == 0 &&
                           ::waitpid(thread, &status, __WALL) == thread;
      if (!stopped || ::write(ready_[1], "x", 1) != 1) ::_exit(1);
      while (true) ::pause();
    }
    ::close(ready_[1]);
    char byte = 0;
    REQUIRE(::read(ready_[0], &byte, 1) == 1);
  }
  ~FrozenThread() {
    ::kill(child_, SIGKILL);  // ptrace(2): a tracer that dies lets its tracees go on
    ::waitpid(child_, nullptr, 0);
    ::close(ready_[0]);
  }
  FrozenThread(const FrozenThread&) = delete;
  FrozenThread& operator=(const FrozenThread&) = delete;

 private:
  pid_t child_ = -1;
  int ready_[2] = {-1, -1};
};

Event incompressible(std::uint64_t seed) {
  SyscallEvent call;
  call.extents.push_back({RemoteAddr(0x1000), Bytes(50'000), false});
  for (std::uint8_t& b : call.extents[0].bytes)
    b = static_cast<std::uint8_t>((seed = seed * 6364136223846793005u + 1) >> 56);
  Event event;
  event.body = std::move(call);
  return event;
}

}  // namespace

TEST_CASE("when the disk is full, appending goes on cheaply and what was written can be read") {
  const samples::TemporaryDirectory dir;
  auto log = LogWriter::create(dir.path());
  REQUIRE(log);
  {
    const FileSizeLimit limit(3 << 20);
    std::uint64_t appended = 0;
    while (!(*log)->failed() && appended < 2000) (*log)->append(incompressible(++appended));
    REQUIRE((*log)->failed());
  }
  CHECK((*log)->error().text.find("log/000001: File too large") != std::string::npos);

  Event event = incompressible(1);
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 1000; ++i) CHECK((*log)->append(event) == EventNo(0));
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(1));

  const auto finished = (*log)->finish();
  REQUIRE_FALSE(finished);
  CHECK(finished.error().text == (*log)->error().text);

  // The chunk that did not fit was taken back, so that the log ends cleanly.
  auto reader = LogReader::open(dir.path());
  REQUIRE(reader);
  std::uint64_t read = 0;
  while (true) {
    const auto next = reader->next();
    REQUIRE_MESSAGE(next, next.error().text);
    if (!*next) break;
    CHECK((*next)->no.value == ++read);
  }
  CHECK(read >= 20);
  CHECK_FALSE(reader->torn());
}

TEST_CASE("a disk that stands still for too long ends the log; appending waits no longer than that") {
  const samples::TemporaryDirectory dir;
  std::chrono::nanoseconds stall{};
  SUBCASE("by default") { stall = LogWriter::kStall; }
  SUBCASE("for half a second, when that is asked for") { stall = std::chrono::milliseconds(500); }
  auto log = LogWriter::create(dir.path(), stall);
  REQUIRE(log);
  {
    const FrozenThread frozen("tmrec-log");
    const auto start = std::chrono::steady_clock::now();
    std::uint64_t appended = 0;
    while (!(*log)->failed() && appended < 2000) (*log)->append(incompressible(++appended));
    const auto waited = std::chrono::steady_clock::now() - start;
    REQUIRE((*log)->failed());
    CHECK(appended * 50'000 > 16u << 20);  // what fits into the queue does not wait
    CHECK(waited >= stall);
    CHECK(waited < stall + std::chrono::seconds(8));
    CHECK((*log)->error().text.find("disk too slow") != std::string::npos);
    CHECK((*log)->append(incompressible(1)) == EventNo(0));
  }
  CHECK_FALSE((*log)->finish());
}

TEST_CASE("a log can be abandoned without finishing it") {
  const samples::TemporaryDirectory dir;
  {
    auto log = LogWriter::create(dir.path());
    REQUIRE(log);
    (*log)->append(incompressible(1));
  }
  auto reader = LogReader::open(dir.path());
  REQUIRE(reader);
  const auto event = reader->next();
  REQUIRE(event);
  CHECK(*event);
}
