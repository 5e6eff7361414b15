#include "replayer/debugger.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

#include <fmt/format.h>

#include "format/manifest.h"
#include "gdbstub/stub.h"
#include "replayer/patience.h"
#include "sched/tick_sources.h"
#include "tracee/affinity.h"
#include "tracee/broken.h"

namespace tmrec::replayer {

namespace {

// How soon Ctrl-C is noticed while a task computes.
constexpr std::chrono::milliseconds kHeartbeat(50);
constexpr std::size_t kPiece = 1 << 16;

// Without waiting; nullopt: the other side is gone.
std::optional<std::string> arrived(int fd) {
  std::string bytes(kPiece, '\0');
  const ssize_t n = recv(fd, bytes.data(), bytes.size(), MSG_DONTWAIT);
  if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) return std::nullopt;
  bytes.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
  return bytes;
}

// A client that does not read for so long is given up.
constexpr int kMaxSilence = 60'000;  // ms

bool send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(n));
      continue;
    }
    pollfd writable{fd, POLLOUT, 0};
    if (errno == EINTR) continue;
    if (errno != EAGAIN || (poll(&writable, 1, kMaxSilence) <= 0 && errno != EINTR)) return false;
  }
  return true;
}

// One debugger's session. True: it killed the process.
bool serve(DebugTarget& target, int fd) {
  gdbstub::Stub stub(target, [fd] { return arrived(fd); });
  while (!stub.over()) {
    pollfd readable{fd, POLLIN, 0};
    if (poll(&readable, 1, -1) < 0 && errno != EINTR) break;
    const auto bytes = arrived(fd);
    if (!bytes) break;
    if (!bytes->empty() && !send_all(fd, stub.feed(*bytes))) break;
  }
  return stub.killed();
}

Result<Fd> accept_one(int listening) {
  for (;;) {
    Fd client(accept4(listening, nullptr, nullptr, SOCK_CLOEXEC));
    if (client) {
      const int on = 1;
      setsockopt(client.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // fails for a socket of another family
      return client;
    }
    if (errno != EINTR && errno != ECONNABORTED) return fail_errno("cannot accept a debugger");
  }
}

}  // namespace

Result<void> serve_debuggers(const DebugOptions& options, int listening, bool keep_listening,
                             const std::function<void()>& ready) {
  TMREC_TRY(TraceDir trace, TraceDir::open(options.trace));
  TMREC_TRY(const Manifest manifest, Manifest::load(options.trace));
  TMREC_TRY(LogReader log, LogReader::open(options.trace));
  TMREC_TRY(LogReader index, LogReader::open(options.trace));
  TMREC_TRY(const sched::ChosenSource ticks, sched::source_named(manifest.tick_source));
  const auto blobs = options.blobs.empty() ? trace.blob_root(manifest.blob_root) : options.blobs;
  if (!tracee::pin_to_cpu(0, manifest.cpu_number)) tracee::pin_to_cpu(0, tracee::current_cpu_number());
  Heartbeat heartbeat(kHeartbeat);
  auto session = std::make_unique<Session>(std::move(trace), std::make_shared<BlobStore>(BlobStore::open(blobs)),
                                           std::move(log), manifest.cpuid_trapped);
  session->count_with(ticks.source);
  TMREC_TRY(const auto target, DebugTarget::open(std::move(session), std::move(index), options.start));
  ready();
  bool killed = false;
  do {
    TMREC_TRY(const Fd client, accept_one(listening));
    killed = serve(*target, client.get());
  } while (keep_listening && !killed);
  return {};
}

Result<PrivateSocket> private_socket() {
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  const char* temporary = std::getenv("TMPDIR");
  std::string directory = runtime != nullptr ? runtime : temporary != nullptr ? temporary : "/tmp";
  if (access(directory.c_str(), W_OK) != 0) directory = "/tmp";
  directory += "/tmrec-XXXXXX";
  if (mkdtemp(directory.data()) == nullptr) return fail_errno(directory);
  PrivateSocket made{Fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)), directory + "/gdb"};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = made.path.string();
  if (path.size() >= sizeof address.sun_path) return fail(ErrorKind::System, path + ": too long for a socket");
  std::memcpy(address.sun_path, path.c_str(), path.size());
  if (!made.listening || bind(made.listening.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) < 0 ||
      listen(made.listening.get(), 1) < 0) {
    return fail_errno(path);
  }
  return made;
}

void remove(const PrivateSocket& socket) {
  unlink(socket.path.c_str());
  rmdir(socket.path.parent_path().c_str());
}

Result<Fd> listen_on(const std::string& address, std::string& bound) {
  const std::size_t colon = address.rfind(':');
  const std::string host = colon == std::string::npos || colon == 0 ? "127.0.0.1" : address.substr(0, colon);
  const std::string port = colon == std::string::npos ? address : address.substr(colon + 1);
  addrinfo hints{};
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const std::string bare = host.starts_with('[') && host.ends_with(']') ? host.substr(1, host.size() - 2) : host;
  if (const int error = getaddrinfo(bare.c_str(), port.c_str(), &hints, &found); error != 0) {
    return fail(ErrorKind::Usage, fmt::format("'{}' is not [HOST:]PORT: {}", address, gai_strerror(error)));
  }
  Fd listening(socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  if (listening) setsockopt(listening.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const bool ok =
      listening && bind(listening.get(), found->ai_addr, found->ai_addrlen) == 0 && listen(listening.get(), 1) == 0;
  const int error = errno;
  freeaddrinfo(found);
  if (!ok) return fail_errno("cannot listen on " + address, error);
  sockaddr_storage name{};
  socklen_t length = sizeof name;
  char number[NI_MAXSERV] = "";
  if (getsockname(listening.get(), reinterpret_cast<sockaddr*>(&name), &length) == 0) {
    getnameinfo(reinterpret_cast<sockaddr*>(&name), length, nullptr, 0, number, sizeof number, NI_NUMERICSERV);
  }
  bound = host + ":" + number;
  return listening;
}

namespace {

// The debugger has ended, perhaps without a word: nothing stays behind. The stubs end with this process.
std::string ending_socket, ending_directory;
void end_with_debugger(int) {
  unlink(ending_socket.c_str());
  rmdir(ending_directory.c_str());
  _exit(0);
}

// In the serving child: everything it says before the debugger is there goes to the parent, one line.
[[noreturn]] void serve_in_child(const DebugOptions& options, const PrivateSocket& socket, int report) {
  setpgid(0, 0);  // Ctrl-C is the debugger's
  ending_socket = socket.path.string();
  ending_directory = socket.path.parent_path().string();
  std::signal(SIGTERM, end_with_debugger);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  std::signal(SIGTTOU, SIG_IGN);
  bool begun = false;
  Result<void> served;
  try {
    served = serve_debuggers(options, socket.listening.get(), false, [&] {
      begun = true;
      close(report);
    });
  } catch (const BrokenInvariant& broken) {
    served = fail(ErrorKind::System, std::string("internal error: ") + broken.what());
  }
  remove(socket);
  if (!served && !begun) {
    const std::string text = std::to_string(static_cast<int>(served.error().kind)) + " " + served.error().text;
    (void)!write(report, text.data(), text.size());
  }
  _exit(served ? 0 : 1);
}

}  // namespace

Result<void> become_debugger(const DebugOptions& options, const std::string& gdb,
                             const std::vector<std::string>& arguments) {
  TMREC_TRY(const PrivateSocket socket, private_socket());
  int report[2];
  if (pipe2(report, O_CLOEXEC) < 0) return fail_errno("cannot create a pipe");
  const pid_t server = fork();
  if (server < 0) return fail_errno("cannot start a process to serve the debugger");
  if (server == 0) {
    close(report[0]);
    serve_in_child(options, socket, report[1]);
  }
  close(report[1]);
  std::string text;
  char piece[512];
  for (ssize_t n = 0; (n = ::read(report[0], piece, sizeof piece)) != 0;) {
    if (n > 0) text.append(piece, static_cast<std::size_t>(n));
    if (n < 0 && errno != EINTR) break;
  }
  if (!text.empty()) {
    waitpid(server, nullptr, 0);
    return fail(static_cast<ErrorKind>(text.front() - '0'), text.substr(2));
  }
  const std::string commands = "python exec(gdb.execute('monitor gdb-commands', to_string=True))";
  // gdb sends again what is not answered in time, and is confused by two answers; a replay may have much to do.
  std::vector<std::string> words{
      gdb, "-q", "-ex", "set remotetimeout 120", "-ex", "target remote " + socket.path.string(), "-ex", commands};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  execvp(gdb.c_str(), argv.data());
  const int error = errno;
  kill(server, SIGTERM);
  waitpid(server, nullptr, 0);
  remove(socket);
  return fail_errno("cannot execute " + gdb, error, error == ENOENT ? ErrorKind::Machine : ErrorKind::System);
}

}  // namespace tmrec::replayer
