#include "cli/private_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vector>

#include "cli/quantity.h"

namespace tmrec::cli {
namespace fs = std::filesystem;
namespace {

[[noreturn]] void remove_when_unused(const fs::path& directory, int unused) {
  ::setsid();  // out of reach of the terminal
  sigset_t all;
  sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  // Whoever reads what tmrec prints must not wait for this process.
  if (unused != 0) ::dup2(unused, 0);
  ::syscall(SYS_close_range, 1, ~0u, 0);
  for (char none = 0; ::read(0, &none, 1) < 0 && errno == EINTR;) {
  }
  std::error_code ignored;
  fs::remove_all(directory, ignored);
  ::_exit(0);
}

Result<pid_t> start_remover(const fs::path& directory, int unused) {
  const pid_t remover = ::fork();
  if (remover < 0) return fail_errno("cannot start a process that removes " + directory.string());
  if (remover == 0) remove_when_unused(directory, unused);
  return remover;
}

std::vector<fs::path> candidates(const fs::path& beside) {
  if (const char* chosen = ::getenv("TMPDIR"); chosen != nullptr && *chosen != '\0') return {chosen};
  return {"/var/tmp", "/tmp", beside.empty() ? fs::path(".") : beside};
}

// nullopt: cannot be told.
std::optional<std::uint64_t> room_in(const fs::path& directory) {
  struct statvfs status {};
  if (::statvfs(directory.c_str(), &status) != 0) return std::nullopt;
  return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
}

// The first candidate that will do; else why the last one that exists will not.
Result<fs::path> make_directory(std::uint64_t bytes, const fs::path& beside) {
  std::string why = "there is no directory for temporary files";
  for (const fs::path& candidate : candidates(beside)) {
    const auto room = room_in(candidate);
    if (room && *room < bytes) {
      why =
          fmt::format("unpacking needs {} in {}, which has {}", show_size(bytes), candidate.string(), show_size(*room));
      continue;
    }
    std::string pattern = (candidate / "tmrec-XXXXXX").string();
    if (::mkdtemp(pattern.data()) != nullptr) return fs::path(pattern);
    if (errno != ENOENT)
      why = fmt::format("cannot create a directory in {}: {}", candidate.string(), std::strerror(errno));
  }
  return fail(ErrorKind::Machine, why + "; set TMPDIR to a directory with room");
}

}  // namespace

PrivateFolder::PrivateFolder(fs::path path, Fd use, pid_t remover)
    : path_(std::move(path)), use_(std::move(use)), owner_(::getpid()), remover_(remover) {}

PrivateFolder::PrivateFolder(PrivateFolder&& other) noexcept
    : path_(std::move(other.path_)), use_(std::move(other.use_)), owner_(other.owner_), remover_(other.remover_) {}

PrivateFolder::~PrivateFolder() {
  if (!use_) return;
  use_.reset();
  if (::getpid() != owner_) return;
  while (::waitpid(remover_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

Result<PrivateFolder> PrivateFolder::create(std::uint64_t bytes, const fs::path& beside) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) < 0) return fail_errno("cannot create a pipe");
  const Fd unused(ends[0]);
  Fd use(ends[1]);
  TMREC_TRY(fs::path directory, make_directory(bytes, beside));
  auto remover = start_remover(directory, unused.get());
  if (!remover) {
    ::rmdir(directory.c_str());
    return std::unexpected(remover.error());
  }
  return PrivateFolder(std::move(directory), std::move(use), *remover);
}

}  // namespace tmrec::cli
