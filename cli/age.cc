#include "cli/age.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

extern char** environ;

namespace tmrec::cli {
namespace {

constexpr std::size_t kMostWords = 4096;

bool is_key(std::string_view recipient) { return recipient.starts_with("age1") || recipient.starts_with("ssh-"); }

// The first line of what age wrote, without its name.
std::string said(int words) {
  Bytes bytes(kMostWords);
  const std::int64_t n = read_at(words, 0, bytes);
  std::string text(bytes.begin(), bytes.begin() + std::max<std::int64_t>(n, 0));
  text.resize(std::min(text.find('\n'), text.size()));
  std::ranges::replace_if(
      text, [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
  constexpr std::string_view kError = "age: error: ";
  if (text.starts_with(kError)) text.erase(0, kError.size());
  return text.empty() ? "age failed" : text;
}

}  // namespace

Age::Age(Fd pipe, Fd words, pid_t process) : pipe_(std::move(pipe)), words_(std::move(words)), process_(process) {}

Age::Age(Age&& other) noexcept
    : pipe_(std::move(other.pipe_)), words_(std::move(other.words_)), process_(std::exchange(other.process_, -1)) {}

Age::~Age() {
  pipe_.reset();
  if (process_ > 0) (void)finish();
}

Result<Age> Age::start(const std::vector<std::string>& words, int own, bool own_is_input) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) < 0) return fail_errno("cannot create a pipe");
  Fd reading(ends[0]), writing(ends[1]);
  Fd errors(::memfd_create("tmrec-age", MFD_CLOEXEC));
  if (!errors) return fail_errno("cannot create a memory file");

  ::signal(SIGCHLD, SIG_DFL);  // inherited as ignored it would hide how age ends
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawnattr_init(&attributes);
  ::posix_spawn_file_actions_adddup2(&actions, own_is_input ? own : reading.get(), STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, own_is_input ? writing.get() : own, STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, errors.get(), STDERR_FILENO);
  sigset_t pipe_signal;
  sigemptyset(&pipe_signal);
  sigaddset(&pipe_signal, SIGPIPE);
  ::posix_spawnattr_setsigdefault(&attributes, &pipe_signal);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  std::vector<char*> argv;
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  pid_t process = -1;
  const int error = ::posix_spawnp(&process, "age", &actions, &attributes, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  if (error == ENOENT) {
    return fail(ErrorKind::Machine,
                "encrypted packs need the program age, which is not installed: apt-get install age");
  }
  if (error != 0) return fail_errno("cannot execute age", error);
  return Age(std::move(own_is_input ? reading : writing), std::move(errors), process);
}

Result<Age> Age::encrypt(const std::vector<std::string>& recipients, int to) {
  std::vector<std::string> words{"age", "--encrypt"};
  for (const std::string& recipient : recipients) {
    const bool file = !is_key(recipient) && ::access(recipient.c_str(), F_OK) == 0;
    words.insert(words.end(), {file ? "-R" : "-r", recipient});
  }
  return start(words, to, false);
}

Result<Age> Age::decrypt(const std::string& identity, int from) {
  return start({"age", "--decrypt", "-i", identity}, from, true);
}

Result<void> Age::finish() {
  int status = 0;
  const pid_t process = std::exchange(process_, -1);
  while (::waitpid(process, &status, 0) < 0) {
    if (errno != EINTR) return fail_errno("cannot wait for age");
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE) return {};  // its reader has gone, and knows why
  return fail(ErrorKind::Usage, said(words_.get()));
}

bool begins_like_age(std::span<const std::uint8_t> head) {
  const std::string_view text(reinterpret_cast<const char*>(head.data()), head.size());
  return text.starts_with("age-encryption.org/") || text.starts_with("-----BEGIN AGE ENCRYPTED FILE-----");
}

}  // namespace tmrec::cli
