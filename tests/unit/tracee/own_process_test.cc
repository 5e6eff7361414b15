// What can be tested on the test's own process, or on one it forks.
#include <doctest/doctest.h>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>

#include <cstring>

#include "tracee/memory_hash.h"
#include "tracee/proc.h"
#include "tracee/remote_memory.h"

using namespace tmrec;

namespace {

struct Pages {
  std::uint8_t* at;
  std::size_t size;
  explicit Pages(std::size_t count)
      : at(static_cast<std::uint8_t*>(
            mmap(nullptr, count * kPageSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))),
        size(count * kPageSize) {}
  ~Pages() { munmap(at, size); }
  RemoteAddr addr() const { return RemoteAddr(reinterpret_cast<std::uint64_t>(at)); }
  std::uint64_t hash() const {
    auto memory = tracee::RemoteMemory::open(getpid());
    REQUIRE(memory);
    tracee::PresentPages present(getpid());
    return tracee::hash_range(*memory, present, addr(), addr() + size, false);
  }
};

}  // namespace

TEST_CASE("an untouched page, a read page and a page of zeros hash alike") {
  Pages a(4);
  std::uint64_t untouched = a.hash();
  volatile std::uint8_t sink = a.at[kPageSize];
  (void)sink;
  CHECK(a.hash() == untouched);
  a.at[2 * kPageSize] = 0;
  CHECK(a.hash() == untouched);
  a.at[2 * kPageSize + 7] = 1;
  CHECK(a.hash() != untouched);
}

TEST_CASE("the hash depends on where in the range content lies") {
  Pages a(4), b(4);
  a.at[0] = 5;
  b.at[kPageSize] = 5;
  CHECK(a.hash() != b.hash());
  b.at[kPageSize] = 0;
  b.at[0] = 5;
  CHECK(a.hash() == b.hash());
}

TEST_CASE("remote memory ignores protections and knows its limits") {
  Pages a(2);
  std::memcpy(a.at + kPageSize - 4, "worldwide", 10);
  mprotect(a.at, a.size, PROT_READ);
  auto memory = tracee::RemoteMemory::open(getpid());
  REQUIRE(memory);
  CHECK(memory->read_string(a.addr() + (kPageSize - 4), 256) == "worldwide");
  CHECK(memory->read_string(a.addr() + (kPageSize - 4), 5) == "world");
  char word[] = "x";
  CHECK(memory->write(a.addr().value, word, 1));
  CHECK(a.at[0] == 'x');
  munmap(a.at + kPageSize, kPageSize);
  CHECK(memory->read_some(a.addr(), 2 * kPageSize).size() == kPageSize);
  char two[2];
  CHECK_FALSE(memory->read(a.addr().value + kPageSize - 1, two, 2));
}

TEST_CASE("maps of this process hold its stack and its own mapping") {
  Pages a(3);
  mprotect(a.at + kPageSize, kPageSize, PROT_NONE);
  auto maps = tracee::read_maps(getpid());
  REQUIRE(maps);
  bool stack = false, hole = false;
  for (const auto& map : *maps) {
    stack |= map.name == "[stack]" && (map.prot & PROT_WRITE) != 0;
    hole |= map.start == a.addr() + kPageSize && map.end == a.addr() + 2 * kPageSize && map.prot == PROT_NONE;
  }
  CHECK(stack);
  CHECK(hole);
}

TEST_CASE("signal masks and task state") {
  pid_t child = fork();
  if (child == 0) {
    signal(SIGUSR1, SIG_IGN);
    signal(SIGUSR2, [](int) {});
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    raise(SIGSTOP);
    _exit(0);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, WUNTRACED) == child);
  CHECK(tracee::task_state(child) == 'T');
  CHECK(tracee::thread_group_of(child) == child);
  auto masks = tracee::signal_masks(child);
  REQUIRE(masks);
  CHECK(masks->is_ignored(SIGUSR1));
  CHECK(masks->is_caught(SIGUSR2));
  CHECK(masks->is_blocked(SIGTERM));
  CHECK_FALSE(masks->is_blocked(SIGHUP));
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
  CHECK_FALSE(tracee::task_state(child).has_value());
}
