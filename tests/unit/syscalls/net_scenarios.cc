// Sockets: addresses, options, messages with names, control data and several buffers.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "probe.h"

namespace tmrec::syscalls::test {

namespace {

// A TCP connection over loopback.
struct Connection {
  int listener, client, server = -1;
  sockaddr_in address{};

  Connection() : listener(socket(AF_INET, SOCK_STREAM, 0)), client(socket(AF_INET, SOCK_STREAM, 0)) {
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t n = sizeof address;
    REQUIRE(bind(listener, reinterpret_cast<sockaddr*>(&address), n) == 0);
    REQUIRE(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &n) == 0);
    REQUIRE(listen(listener, 5) == 0);
    REQUIRE(connect(client, reinterpret_cast<sockaddr*>(&address), n) == 0);
  }
  ~Connection() {
    close(listener);
    close(client);
    if (server >= 0) close(server);
  }
};

void addresses(Probe& p) {
  Connection c;
  std::int64_t fd = p.call(SYS_accept, c.listener, p.buffer(128), p.put<int>(128));
  REQUIRE(fd >= 0);
  CHECK(p.captured().total() == 16 + 4);
  c.server = static_cast<int>(fd);
  Connection second;
  fd = p.call(SYS_accept4, second.listener, p.buffer(128), p.put<int>(5), SOCK_CLOEXEC);
  REQUIRE(fd >= 0);
  CHECK(p.captured().total() == 5 + 4);
  second.server = static_cast<int>(fd);
  CHECK(p.call(SYS_getsockname, c.client, p.buffer(128), p.put<int>(128)) == 0);
  CHECK(p.call(SYS_getpeername, c.client, p.buffer(128), p.put<int>(128)) == 0);
  CHECK(p.call(SYS_getpeername, c.client, p.buffer(128), p.put<int>(-1)) == -EINVAL);
}

void options(Probe& p) {
  Connection c;
  const auto get = [&](int level, int option, int room) {
    return p.call(SYS_getsockopt, c.client, level, option, p.buffer(static_cast<std::size_t>(room)), p.put<int>(room));
  };
  CHECK(get(SOL_SOCKET, SO_RCVBUF, 4) == 0);
  CHECK(get(SOL_SOCKET, SO_TYPE, 4) == 0);
  CHECK(get(SOL_SOCKET, SO_LINGER, 8) == 0);
  CHECK(get(SOL_SOCKET, SO_RCVTIMEO, 16) == 0);
  CHECK(get(SOL_SOCKET, SO_PEERCRED, 12) == 0);
  CHECK(get(SOL_SOCKET, SO_COOKIE, 8) == 0);
  CHECK(get(SOL_SOCKET, SO_MEMINFO, 64) == 0);
  CHECK(get(SOL_SOCKET, SO_ERROR, 2) == 0);
  CHECK(get(IPPROTO_TCP, TCP_INFO, 300) == 0);
  CHECK(get(IPPROTO_TCP, TCP_NODELAY, 1) == 0);
  CHECK(get(IPPROTO_TCP, TCP_CONGESTION, 16) == 0);
  CHECK(get(IPPROTO_IP, IP_TTL, 4) == 0);
  CHECK(get(IPPROTO_IP, IP_OPTIONS, 40) == 0);
  CHECK(get(SOL_SOCKET, 9999, 4) == -ENOPROTOOPT);
}

void streams(Probe& p) {
  int s[2];
  int* made = static_cast<int*>(p.buffer(8));
  CHECK(p.call(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, made) == 0);
  s[0] = made[0], s[1] = made[1];
  CHECK(p.call(SYS_socketpair, AF_INET, SOCK_STREAM, 0, p.buffer(8)) == -EOPNOTSUPP);
  CHECK(p.changed() > 0);  // written although it failed
  CHECK(send(s[0], "hello world", 11, 0) == 11);
  CHECK(p.call(SYS_recvfrom, s[1], p.buffer(100), 5, 0, nullptr, nullptr) == 5);
  CHECK(p.captured().total() == 5);
  CHECK(p.call(SYS_recvfrom, s[1], p.buffer(100), 100, MSG_PEEK, p.buffer(128), p.put<int>(128)) == 6);
  CHECK(p.call(SYS_read, s[1], p.buffer(100), 100) == 6);
  CHECK(p.call(SYS_recvfrom, s[1], p.buffer(100), 100, MSG_DONTWAIT, nullptr, nullptr) == -EAGAIN);
  CHECK(p.captured().total() == 0);
  close(s[0]);
  close(s[1]);
}

void datagrams(Probe& p) {
  const int receiver = socket(AF_INET, SOCK_DGRAM, 0), sender = socket(AF_INET, SOCK_DGRAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t n = sizeof address;
  REQUIRE(bind(receiver, reinterpret_cast<sockaddr*>(&address), n) == 0);
  REQUIRE(getsockname(receiver, reinterpret_cast<sockaddr*>(&address), &n) == 0);
  const auto send_some = [&](const char* text) {
    CHECK(sendto(sender, text, strlen(text), 0, reinterpret_cast<sockaddr*>(&address), n) > 0);
  };
  send_some("abcdef");
  CHECK(p.call(SYS_recvfrom, receiver, p.buffer(100), 3, MSG_TRUNC, p.buffer(128), p.put<int>(128)) == 6);
  CHECK(p.captured().total() == 3 + 16 + 4);
  send_some("abc");
  CHECK(p.call(SYS_recvfrom, receiver, p.buffer(100), 100, 0, p.buffer(128), p.put<int>(4)) == 3);
  CHECK(p.captured().total() == 3 + 4 + 4);
  send_some("first");
  send_some("second");
  auto* batch = static_cast<mmsghdr*>(p.buffer(3 * sizeof(mmsghdr)));
  for (int i = 0; i < 3; ++i) {
    iovec* v = p.put(iovec{p.buffer(100), 100});
    batch[i] = {{p.buffer(128), 128, v, 1, nullptr, 0, 0}, 0x5555};
  }
  CHECK(p.call(SYS_recvmmsg, receiver, batch, 3, MSG_DONTWAIT, p.put(timespec{1, 0})) == 2);
  iovec* out = p.put(iovec{p.text("data"), 4});
  sockaddr_in* to = p.put(address);
  for (int i = 0; i < 2; ++i) batch[i] = {{to, sizeof address, out, 1, nullptr, 0, 0}, 0x5555};
  CHECK(p.call(SYS_sendmmsg, sender, batch, 2, 0) == 2);
  CHECK(p.captured().total() == 8);
  close(receiver);
  close(sender);
}

void messages(Probe& p) {
  int s[2];
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
  const int on = 1;
  setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
  const auto send_descriptors = [&] {
    char data[] = "0123456789";
    iovec v{data, 10};
    alignas(cmsghdr) char control[CMSG_SPACE(2 * sizeof(int))] = {};
    msghdr h{nullptr, 0, &v, 1, control, sizeof control, 0};
    cmsghdr* c = CMSG_FIRSTHDR(&h);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(2 * sizeof(int));
    const int fds[2] = {0, 1};
    std::memcpy(CMSG_DATA(c), fds, sizeof fds);
    REQUIRE(sendmsg(s[0], &h, 0) == 10);
  };
  const auto receive = [&](std::size_t control_room, std::size_t name_room) {
    auto* v = static_cast<iovec*>(p.buffer(2 * sizeof(iovec)));
    v[0] = {p.buffer(4), 4};
    v[1] = {p.buffer(100), 100};
    msghdr* h = p.put(msghdr{name_room ? p.buffer(128) : nullptr, static_cast<socklen_t>(name_room), v, 2,
                             control_room ? p.buffer(control_room) : nullptr, control_room, 0});
    return p.call(SYS_recvmsg, s[1], h, 0);
  };
  send_descriptors();
  CHECK(receive(200, 128) == 10);
  send_descriptors();
  CHECK(receive(20, 0) == 10);
  send_descriptors();
  CHECK(receive(0, 2) == 10);
  msghdr* h = p.put(msghdr{});
  CHECK(p.call(SYS_recvmsg, s[1], h, MSG_DONTWAIT) == -EAGAIN);
  close(s[0]);
  close(s[1]);
}

constexpr Scenario kScenarios[] = {
    {"addresses", addresses}, {"options", options},   {"streams", streams},
    {"datagrams", datagrams}, {"messages", messages},
};

}  // namespace

std::span<const Scenario> net_scenarios() { return kScenarios; }

}  // namespace tmrec::syscalls::test
