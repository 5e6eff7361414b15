#include "cli/private_folder.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>

#include "tests/unit/cli/scratch.h"

namespace tmrec::cli {
namespace fs = std::filesystem;

TEST_CASE("a private folder is closed to others, and gone afterwards") {
  const Scratch scratch;
  const Environment temporary("TMPDIR", scratch.root.string());
  fs::path path;
  {
    auto folder = PrivateFolder::create(1000, {});
    REQUIRE_MESSAGE(folder, folder.error().text);
    path = folder->path();
    CHECK(path.parent_path() == scratch.root);
    CHECK(static_cast<unsigned>(fs::status(path).permissions()) == 0700);
    fs::create_directories(path / "a" / "b");
    const PrivateFolder moved = std::move(*folder);
    CHECK(fs::exists(moved.path()));
  }
  CHECK_FALSE(fs::exists(path));
}

TEST_CASE("it stays while a forked process uses it, and goes when that one dies") {
  const Scratch scratch;
  const Environment temporary("TMPDIR", scratch.root.string());
  int used[2];
  REQUIRE(::pipe2(used, O_CLOEXEC) == 0);
  const pid_t creator = ::fork();
  if (creator == 0) {
    const auto folder = PrivateFolder::create(0, {});
    const pid_t user = folder ? ::fork() : -1;
    if (user == 0) {
      ::pause();
      ::_exit(0);
    }
    (void)!::write(used[1], &user, sizeof user);
    ::_exit(0);  // without the destructor, as when it becomes a debugger
  }
  pid_t user = -1;
  REQUIRE(::read(used[0], &user, sizeof user) == sizeof user);
  REQUIRE(::waitpid(creator, nullptr, 0) == creator);
  REQUIRE(user > 0);
  CHECK_FALSE(fs::is_empty(scratch.root));
  REQUIRE(::kill(user, SIGKILL) == 0);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!fs::is_empty(scratch.root) && std::chrono::steady_clock::now() < deadline) ::usleep(1000);
  CHECK(fs::is_empty(scratch.root));
  ::close(used[0]);
  ::close(used[1]);
}

TEST_CASE("where there is no room, it says what to do") {
  const Scratch scratch;
  const Environment temporary("TMPDIR", scratch.root.string());
  auto folder = PrivateFolder::create(std::uint64_t{1} << 60, {});
  REQUIRE_FALSE(folder);
  CHECK(folder.error().kind == ErrorKind::Machine);
  CHECK(folder.error().text.find("set TMPDIR") != std::string::npos);
  CHECK(fs::is_empty(scratch.root));
  const Environment missing("TMPDIR", (scratch.root / "missing").string());
  CHECK_FALSE(PrivateFolder::create(0, {}));
}

}  // namespace tmrec::cli
