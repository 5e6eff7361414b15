#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <algorithm>
#include <cstring>
#include <initializer_list>
#include <random>

#include "local_memory.h"
#include "syscalls/capture.h"
#include "syscalls/print.h"

using namespace tmrec;
using namespace tmrec::syscalls;

namespace {

template <class T>
std::uint64_t address(const T* at) {
  return reinterpret_cast<std::uint64_t>(at);
}

// An event as the recorder makes it, for a call of this process that has returned `ret`.
SyscallEvent event(std::uint32_t nr, std::initializer_list<std::uint64_t> args, std::int64_t ret) {
  Call call{.nr = nr, .args = {}};
  std::copy(args.begin(), args.end(), call.args);
  SyscallEvent e;
  e.regs.orig_rax = nr;
  e.regs.rdi = call.args[0], e.regs.rsi = call.args[1], e.regs.rdx = call.args[2];
  e.regs.r10 = call.args[3], e.regs.r8 = call.args[4], e.regs.r9 = call.args[5];
  e.ret = ret;
  test::LocalMemory memory;
  test::RangeSink sink;
  capture_inputs(call, memory, sink);
  capture_outputs(call, note_entry(call, memory), ret, memory, sink);
  const auto add = [&](const test::Range& r, bool input) {
    Extent x{.addr = RemoteAddr(r.addr), .bytes = Bytes(r.len), .input = input};
    if (memory.read(r.addr, x.bytes.data(), r.len)) e.extents.push_back(x);
  };
  for (const test::Range& r : sink.inputs) add(r, true);
  for (const test::Range& r : sink.outputs) add(r, false);
  return e;
}

std::string text(std::uint32_t nr, std::initializer_list<std::uint64_t> args, std::int64_t ret) {
  return describe(event(nr, args, ret));
}

constexpr std::uint64_t kCwd = static_cast<std::uint64_t>(AT_FDCWD);

}  // namespace

TEST_CASE("paths and flags") {
  const char path[] = "/etc/passwd";
  CHECK(text(SYS_openat, {kCwd, address(path), O_RDONLY | O_CLOEXEC, 0}, 3) ==
        "openat(AT_FDCWD, \"/etc/passwd\", O_RDONLY|O_CLOEXEC) = 3");
  CHECK(text(SYS_openat, {kCwd, address(path), O_RDONLY, 0}, -2) ==
        "openat(AT_FDCWD, \"/etc/passwd\", O_RDONLY) = -1 ENOENT (No such file or directory)");
  CHECK(text(SYS_openat, {kCwd, address(path), O_WRONLY | O_CREAT | O_TRUNC, 0644}, 3) ==
        "openat(AT_FDCWD, \"/etc/passwd\", O_WRONLY|O_CREAT|O_TRUNC, 0644) = 3");
  CHECK(text(SYS_access, {address(path), R_OK}, 0) == "access(\"/etc/passwd\", R_OK) = 0");
}

TEST_CASE("buffers are escaped and shortened") {
  const char data[] = "a \"quoted\" line\n\x01";
  CHECK(text(SYS_write, {1, address(data), 16}, 16) == "write(1, \"a \\\"quoted\\\" line\\n\", 16) = 16");
  const std::string longer(100, 'x');
  CHECK(text(SYS_write, {1, address(longer.data()), 100}, 100) ==
        "write(1, \"" + std::string(32, 'x') + "\"..., 100) = 100");
  CHECK(text(SYS_read, {0, address(data), 100}, 3) == "read(0, \"a \\\"\", 100) = 3");
  CHECK(text(SYS_read, {0, address(data), 100}, 0) == "read(0, \"\", 100) = 0");
  CHECK(text(SYS_read, {0, 0x1000, 100}, kRestartSys) == "read(0, 0x1000, 100) = ? ERESTARTSYS");
}

TEST_CASE("iovecs") {
  char one[] = "one", two[] = "two!";
  iovec v[] = {{one, 3}, {two, 4}};
  CHECK(text(SYS_writev, {1, address(v), 2}, 7) ==
        "writev(1, [{iov_base=\"one\", iov_len=3}, {iov_base=\"two!\", iov_len=4}], 2) = 7");
  CHECK(text(SYS_readv, {0, address(v), 2}, 5) ==
        "readv(0, [{iov_base=\"one\", iov_len=3}, {iov_base=\"tw\"..., iov_len=4}], 2) = 5");
}

TEST_CASE("structures") {
  struct stat st = {};
  st.st_mode = S_IFREG | 0644;
  st.st_size = 1234;
  CHECK(text(SYS_fstat, {3, address(&st)}, 0) == "fstat(3, {st_mode=S_IFREG|0644, st_size=1234, ...}) = 0");
  pollfd p[] = {{3, POLLIN, POLLHUP}};
  CHECK(text(SYS_poll, {address(p), 1, static_cast<std::uint64_t>(-1)}, 1) ==
        "poll([{fd=3, events=POLLIN}] => [{fd=3, revents=POLLHUP}], 1, -1) = 1");
  const int fds[] = {4, 5};
  CHECK(text(SYS_pipe2, {address(fds), O_CLOEXEC}, 0) == "pipe2([4, 5], O_CLOEXEC) = 0");
  const timespec t{1, 500};
  CHECK(text(SYS_clock_gettime, {1, address(&t)}, 0) == "clock_gettime(CLOCK_MONOTONIC, {tv_sec=1, tv_nsec=500}) = 0");
  const int status = 3 << 8;
  CHECK(text(SYS_wait4, {static_cast<std::uint64_t>(-1), address(&status), 1, 0}, 55) ==
        "wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 3}], WNOHANG, NULL) = 55");
}

TEST_CASE("addresses of sockets") {
  sockaddr_storage room = {};
  auto* in = reinterpret_cast<std::uint8_t*>(&room);
  const std::uint8_t v4[] = {2, 0, 0x1f, 0x90, 127, 0, 0, 1};
  std::copy(std::begin(v4), std::end(v4), in);
  CHECK(text(SYS_connect, {3, address(&room), 16}, 0) ==
        "connect(3, {sa_family=AF_INET, sin_port=htons(8080), sin_addr=127.0.0.1}, 16) = 0");
  room = {};
  const char local[] = "\x01\0/run/x.sock";
  std::memcpy(&room, local, sizeof local);
  CHECK(text(SYS_bind, {3, address(&room), sizeof local}, 0) ==
        "bind(3, {sa_family=AF_UNIX, sun_path=\"/run/x.sock\"}, 14) = 0");
  CHECK(text(SYS_socket, {2, 1 | 02000000, 0}, 3) == "socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, 0) = 3");
}

TEST_CASE("memory and processes") {
  CHECK(text(SYS_mmap, {0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, ~0ull, 0}, 0x7f0000000000) ==
        "mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000000000");
  CHECK(text(SYS_clone, {0x1200011, 0, 0, 0, 0}, 77) ==
        "clone(CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD, NULL, NULL, NULL, 0) = 77");
  CHECK(text(SYS_kill, {77, 15}, 0) == "kill(77, SIGTERM) = 0");
  CHECK(text(SYS_exit_group, {0}, 0) == "exit_group(0) = ?");
  const char program[] = "/bin/ls", flag[] = "-l";
  const char* argv[] = {program, flag, nullptr};
  const char* env[] = {"A=1", "B=2", "C=3", "D=4", "E=5", nullptr};
  CHECK(text(SYS_execve, {address(program), address(argv), address(env)}, 0) ==
        "execve(\"/bin/ls\", [\"/bin/ls\", \"-l\"], [\"A=1\", \"B=2\", \"C=3\", \"D=4\", ...]) = 0");
}

TEST_CASE("commands name their arguments") {
  const int word = 2;
  CHECK(text(SYS_futex, {address(&word), 128, 2, 0, 0, 0}, -11)
            .starts_with("futex([0x2], FUTEX_WAIT|FUTEX_PRIVATE_FLAG, 2, NULL) = -1 EAGAIN"));
  CHECK(text(SYS_fcntl, {3, F_SETFD, 1}, 0) == "fcntl(3, F_SETFD, FD_CLOEXEC) = 0");
  CHECK(text(SYS_fcntl, {3, F_GETFL, 0}, 2) == "fcntl(3, F_GETFL) = 2");
  CHECK(text(SYS_ioctl, {0, 0x5413, 0}, -25).starts_with("ioctl(0, TIOCGWINSZ, NULL) = -1 ENOTTY"));
  CHECK(text(SYS_ioctl, {0, 0x80043201, 0}, 0) == "ioctl(0, _IOC(_IOC_READ, 0x32, 0x1, 0x4), NULL) = 0");
  const char name[16] = "worker";
  CHECK(text(SYS_prctl, {15, address(name), 0, 0, 0}, 0) == "prctl(PR_SET_NAME, \"worker\") = 0");
}

TEST_CASE("phases, unknown numbers and notes") {
  SyscallEvent e = event(SYS_pause, {}, 0);
  e.phase = SyscallEvent::Phase::Enter;
  CHECK(describe(e) == "pause() = ... (waiting)");
  e.phase = SyscallEvent::Phase::Exit;
  e.ret = -4;
  CHECK(describe(e) == "... pause() = -1 EINTR (Interrupted system call)");
  e = event(400, {}, -38);
  CHECK(describe(e) == "syscall_0x190() = -1 ENOSYS (Function not implemented)");
  e = event(SYS_ioctl, {1, 0x80043201, 0}, 0);
  e.noted = true;
  CHECK(describe(e).ends_with(" (noted)"));
}

TEST_CASE("events with missing memory are printed as addresses") {
  SyscallEvent e = event(SYS_recvmsg, {3, 0x1000, 0}, 5);
  CHECK(describe(e) == "recvmsg(3, 0x1000, 0) = 5");
  for (std::uint32_t nr = 0; nr <= number::kLast; ++nr) {
    SyscallEvent bare;
    bare.regs.orig_rax = nr;
    bare.regs.rdi = bare.regs.rsi = bare.regs.rdx = bare.regs.r10 = bare.regs.r8 = bare.regs.r9 = 0x7fff00001000;
    bare.ret = 3;
    // One byte of everything: no structure may be read beyond it.
    bare.extents = {{RemoteAddr(0x7fff00001000), Bytes{1}, true}, {RemoteAddr(0x7fff00001000), Bytes{1}, false}};
    CHECK(describe(bare).find(" = ") != std::string::npos);
  }
}

TEST_CASE("signals") {
  SignalEvent s;
  s.signo = 11;
  s.synchronous = true;
  s.before.rip = 0x401000;
  s.after.rip = 0x402000;
  s.siginfo = Bytes(128);
  s.siginfo[0] = 11;
  s.siginfo[8] = 1;
  s.siginfo[16] = 0x10;
  CHECK(describe(s) == "SIGSEGV {si_signo=SIGSEGV, si_code=SEGV_MAPERR, si_addr=0x10} -> handler 0x402000 at 0x401000");
  s = {};
  s.signo = 15;
  s.action = SignalEvent::Action::Fatal;
  CHECK(describe(s) == "SIGTERM -> fatal");
  CHECK(signal_name(10) == "SIGUSR1");
  CHECK(signal_name(34) == "SIGRTMIN+2");
  CHECK(signal_name(99) == "99");
  CHECK(errno_name(2) == "ENOENT");
  CHECK(errno_name(512) == "ERESTARTSYS");
}

// What a damaged trace may hold: any number, arguments that point anywhere near memory of any content and length.
TEST_CASE("no event is too strange to print") {
  std::mt19937_64 random(1);
  const auto below = [&](std::uint64_t n) { return random() % n; };
  for (int round = 0; round < 30'000; ++round) {
    SyscallEvent e;
    e.phase = static_cast<SyscallEvent::Phase>(below(3));
    e.regs.orig_rax = below(number::kLast + 2);
    std::uint64_t* args[] = {&e.regs.rdi, &e.regs.rsi, &e.regs.rdx, &e.regs.r10, &e.regs.r8, &e.regs.r9};
    for (std::uint64_t* a : args) *a = below(3) ? 0x10000 + below(64) * 8 : random() >> below(64);
    const Row& r = row(static_cast<std::uint32_t>(e.regs.orig_rax));
    if (r.commands && r.commands->count && below(4))
      *args[r.commands->arg] = r.commands->list[below(r.commands->count)].number << r.commands->shift;
    e.ret = static_cast<std::int64_t>(below(2) ? below(100) : random());
    for (std::uint64_t i = below(6); i > 0; --i) {
      Extent x{.addr = RemoteAddr(0x10000 + below(64) * 8), .bytes = Bytes(below(300)), .input = below(2) == 0};
      for (auto& b : x.bytes) b = static_cast<std::uint8_t>(below(4) ? below(4) : random());
      e.extents.push_back(x);
    }
    CAPTURE(round);
    if (describe(e).find(" = ") == std::string::npos) CHECK(false);
  }
  for (int round = 0; round < 1000; ++round) {
    SignalEvent s;
    s.signo = static_cast<std::int32_t>(random());
    s.siginfo = Bytes(below(140));
    for (auto& b : s.siginfo) b = static_cast<std::uint8_t>(random());
    if (describe(s).empty()) CHECK(false);
  }
}
