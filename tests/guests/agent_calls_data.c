// Calls that move data through files, pipes and sockets, and those that say what is ready, made by the agent.
#include "agent_call.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>

enum { kMissing = 999 };

static void read_and_write_file(int file) {
  char one[8], two[16];
  struct iovec parts[2] = {{one, sizeof one}, {two, sizeof two}}, bad[2] = {{one, 4}, {bad_address, 4}};
  CALL(lseek, file, 0, SEEK_SET);
  WRITES(one, sizeof one, read, file, one, sizeof one);
  WRITES(one, sizeof one, pread64, file, one, 5, 12);
  CALL(pread64, file, one, 5, -1);
  WRITES(one, sizeof one, pread64, file, one, 5, 1000);
  WRITES(one, sizeof one, pread64, file, one, 0, 0);
  WRITES(two, sizeof two, readv, file, parts, 2);
  WRITES(two, sizeof two, preadv, file, parts, 2, 1, 0);
  CALL(readv, file, parts, 0);
  CALL(readv, file, parts, -1);
  CALL(readv, file, bad_address, 1);
  CALL(preadv, file, bad, 2, 0, 0);
  CALL(read, file, bad_address, 4);
  CALL(pread64, file, bad_address, 4, 0);
  CALL(read, kMissing, one, 1);
  CALL(pwrite64, file, "xyz", 3, 4);
  CALL(pwrite64, file, bad_address, 3, 4);
  CALL(pwrite64, file, "xyz", 3, -1);
  CALL(write, file, "tail", 4);
  CALL(write, file, bad_address, 4);
  CALL(write, kMissing, "x", 1);
  CALL(write, file, "x", 0);
  CALL(writev, file, parts, 2);
  CALL(writev, file, bad, 2);
  CALL(writev, file, bad_address, 1);
  // Across the end of what can be read.
  memset(bad_address - 100, 'b', 100);
  CALL(pwrite64, file, bad_address - 100, 200, 30);
  memset(bad_address - 100, 0, 100);
  CALL(pread64, file, bad_address - 10, 20, 0);
  show_call("up to the end", false, 0, bad_address - 10, 10);
  char all[64];
  WRITES(all, sizeof all, pread64, file, all, sizeof all, 0);
  SYS(ftruncate(file, 20));
}

static void use_pipe(void) {
  int ends[2], left;
  char text[16];
  CALL(pipe2, bad_address, 0);
  CALL(pipe2, ends, 0x7fffffff);
  WRITES(ends, sizeof ends, pipe, ends);
  CALL(write, ends[1], "hello", 5);
  WRITES(&left, sizeof left, ioctl, ends[0], FIONREAD, &left);
  WRITES(text, sizeof text, read, ends[0], text, sizeof text);
  CALL(write, ends[1], "again", 5);
  CALL(read, ends[0], bad_address, 5);
  WRITES(text, sizeof text, read, ends[0], text, 2);
  CALL(read, ends[1], text, 2);
  CALL(write, ends[0], "x", 1);
  CALL(lseek, ends[0], 0, SEEK_SET);
  CALL(close, ends[1]);
  WRITES(text, sizeof text, read, ends[0], text, sizeof text);
  WRITES(text, sizeof text, read, ends[0], text, sizeof text);
  CALL(close, ends[0]);
  WRITES(ends, sizeof ends, pipe2, ends, O_NONBLOCK | O_CLOEXEC);
  CALL(read, ends[0], text, 1);
  CALL(close, ends[0]);
  CALL(write, ends[1], "x", 1);
  CALL(close, ends[1]);
}

static void use_messages(int one, int other) {
  char text[32], control[128];
  struct iovec part = {"with a descriptor", 17};
  struct msghdr message = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(sizeof(int))};
  memset(control, 0, sizeof control);
  struct cmsghdr* head = CMSG_FIRSTHDR(&message);
  head->cmsg_level = SOL_SOCKET, head->cmsg_type = SCM_RIGHTS, head->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(head), &one, sizeof one);
  CALL(sendmsg, one, &message, 0);
  struct iovec room = {text, sizeof text};
  struct msghdr got = {.msg_iov = &room, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  memset(control, 0, sizeof control);
  WRITES(text, sizeof text, recvmsg, other, &got, MSG_CMSG_CLOEXEC);
  const uint64_t shape[] = {got.msg_controllen, (uint64_t)got.msg_flags};
  show_call("control", false, 0, shape, sizeof shape);
  int passed;
  memcpy(&passed, CMSG_DATA(CMSG_FIRSTHDR(&got)), sizeof passed);
  CALL(close, passed);
  memset(control, 0, sizeof control);
  head->cmsg_level = SOL_SOCKET, head->cmsg_type = SCM_RIGHTS, head->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(head), &one, sizeof one);
  CALL(sendmsg, one, &message, 0);
  got.msg_controllen = 0;
  WRITES(text, sizeof text, recvmsg, other, &got, 0);
  show_call("no room for control", false, got.msg_flags & MSG_CTRUNC, NULL, 0);
  CALL(sendmsg, one, bad_address, 0);
  CALL(recvmsg, other, bad_address, MSG_DONTWAIT);
  part.iov_base = bad_address;
  message.msg_controllen = 0;
  CALL(sendmsg, one, &message, 0);
}

static void use_pair(void) {
  int ends[2];
  char text[32];
  struct sockaddr_un name;
  socklen_t size;
  WRITES(ends, sizeof ends, socketpair, AF_UNIX, SOCK_STREAM, 0, ends);
  CALL(sendto, ends[0], "stream", 6, MSG_NOSIGNAL, NULL, 0);
  WRITES(text, sizeof text, recvfrom, ends[1], text, sizeof text, MSG_PEEK, NULL, NULL);
  WRITES(text, sizeof text, recvfrom, ends[1], text, 3, 0, NULL, NULL);
  WRITES(text, sizeof text, read, ends[1], text, sizeof text);
  CALL(recvfrom, ends[1], text, sizeof text, MSG_DONTWAIT, NULL, NULL);
  CALL(sendto, ends[0], bad_address, 6, 0, NULL, 0);
  CALL(write, ends[0], "more", 4);
  CALL(recvfrom, ends[1], bad_address, 4, 0, NULL, NULL);
  WRITES(text, sizeof text, read, ends[1], text, sizeof text);
  use_messages(ends[0], ends[1]);
  size = sizeof name;
  WRITES(&size, sizeof size, getsockname, ends[0], &name, (size = sizeof name, &size));
  CALL(getpeername, kMissing, &name, &size);
  CALL(getsockname, ends[0], &name, bad_address);
  int value = 1 << 16;
  CALL(setsockopt, ends[0], SOL_SOCKET, SO_SNDBUF, &value, sizeof value);
  CALL(setsockopt, ends[0], SOL_SOCKET, SO_SNDBUF, bad_address, sizeof value);
  CALL(setsockopt, ends[0], SOL_SOCKET, 9999, &value, sizeof value);
  size = sizeof value;
  WRITES(&value, sizeof value, getsockopt, ends[0], SOL_SOCKET, SO_TYPE, &value, &size);
  CALL(getsockopt, ends[0], SOL_SOCKET, SO_TYPE, bad_address, &size);
  CALL(shutdown, ends[0], SHUT_WR);
  WRITES(text, sizeof text, read, ends[1], text, sizeof text);
  CALL(shutdown, kMissing, SHUT_WR);
  CALL(close, ends[0]);
  WRITES(text, sizeof text, read, ends[1], text, sizeof text);
  CALL(sendto, ends[1], "x", 1, MSG_NOSIGNAL, NULL, 0);
  CALL(close, ends[1]);
}

static void use_network(void) {
  int listener, client, server;
  char text[32];
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, peer;
  socklen_t size = sizeof at;
  OPENS(listener, socket, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  CALL(bind, listener, &at, sizeof at);
  CALL(bind, listener, &at, sizeof at);
  CALL(bind, listener, bad_address, sizeof at);
  CALL(listen, listener, 8);
  SYS(syscall(SYS_getsockname, listener, &at, &size));
  for (int way = 0; way < 4; way++) {
    OPENS(client, socket, AF_INET, SOCK_STREAM, 0);
    CALL(connect, client, &at, sizeof at);
    size = sizeof peer;
    if (way % 2 == 0) {
      OPENS(server, accept, listener, &peer, &size);
    } else {
      OPENS(server, accept4, listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    }
    CALL(sendto, client, "abc", 3, 0, NULL, 0);
    struct pollfd ready = {.fd = server, .events = POLLIN};
    CALL(poll, &ready, 1, 5000);
    WRITES(text, sizeof text, recvfrom, server, text, sizeof text, 0, NULL, NULL);
    CALL(recvfrom, server, text, sizeof text, MSG_DONTWAIT, NULL, NULL);
    if (way % 2 == 1) CALL(read, server, text, sizeof text);
    CALL(writev, server, (&(struct iovec){"defg", 4}), 1);
    WRITES(text, sizeof text, read, client, text, sizeof text);
    CALL(connect, client, &at, sizeof at);
    CALL(getpeername, server, bad_address, &size);
    CALL(close, client);
    ready = (struct pollfd){.fd = server, .events = POLLIN};
    WRITES(&ready.revents, sizeof ready.revents, poll, &ready, 1, 5000);
    WRITES(text, sizeof text, read, server, text, sizeof text);
    CALL(close, server);
  }
  CALL(fcntl, listener, F_SETFL, O_NONBLOCK);
  CALL(accept, listener, NULL, NULL);
  CALL(accept4, listener, NULL, NULL, 0x7fffffff);
  CALL(close, listener);
  CALL(accept, listener, NULL, NULL);
  OPENS(client, socket, AF_INET, SOCK_STREAM, 0);
  CALL(connect, client, &at, sizeof at);
  CALL(connect, client, bad_address, sizeof at);
  CALL(close, client);
  int one, other;
  OPENS(one, socket, AF_INET, SOCK_DGRAM, 0);
  OPENS(other, socket, AF_INET, SOCK_DGRAM, 0);
  at.sin_port = 0;
  CALL(bind, one, &at, sizeof at);
  size = sizeof at;
  SYS(syscall(SYS_getsockname, one, &at, &size));
  CALL(sendto, other, "datagram", 8, 0, &at, sizeof at);
  size = sizeof peer;
  WRITES(text, sizeof text, recvfrom, one, text, 4, MSG_TRUNC, &peer, &size);
  show_call("size of name", false, size, NULL, 0);
  CALL(recvfrom, one, text, 4, MSG_DONTWAIT, &peer, &size);
  CALL(sendto, other, "x", 1, 0, bad_address, sizeof at);
  CALL(close, one);
  CALL(close, other);
}

static void ask_what_is_ready(void) {
  int ends[2], events, epoll, timer;
  SYS(pipe(ends));
  OPENS(epoll, epoll_create1, EPOLL_CLOEXEC);
  struct epoll_event wanted = {.events = EPOLLIN, .data.u64 = 77}, got[4];
  CALL(epoll_ctl, epoll, EPOLL_CTL_ADD, ends[0], &wanted);
  CALL(epoll_ctl, epoll, EPOLL_CTL_ADD, ends[0], &wanted);
  CALL(epoll_ctl, epoll, EPOLL_CTL_MOD, ends[1], &wanted);
  CALL(epoll_ctl, epoll, EPOLL_CTL_ADD, ends[1], bad_address);
  const uint64_t no_signals = 0;
  const struct timespec soon = {0, 1000000}, at_once = {0, 0};
  for (int full = 0; full < 2; full++) {
    if (full) SYS(syscall(SYS_write, ends[1], "x", 1));
    struct pollfd files[3] = {{.fd = ends[0], .events = POLLIN}, {.fd = ends[1], .events = POLLOUT}, {.fd = -1}};
    WRITES(got, sizeof got, epoll_wait, epoll, got, 4, 0);
    WRITES(got, sizeof got, epoll_wait, epoll, got, 4, 1);
    WRITES(got, sizeof got, epoll_pwait, epoll, got, 4, 1, &no_signals, 8);
    CALL(epoll_wait, epoll, got, 0, 0);
    CALL(epoll_wait, kMissing, got, 1, 0);
    CALL(poll, files, 1, 0);
    CALL(poll, files, 3, 1);
    show_call("files", false, 0, files, sizeof files);
    CALL(poll, files, 1, 1);
    CALL(ppoll, files, 1, &at_once, NULL, 8);
    CALL(ppoll, files, 1, &soon, &no_signals, 8);
    files[0].fd = kMissing;
    CALL(poll, files, 1, 0);
    show_call("files", false, 0, files, sizeof files);
    CALL(poll, bad_address, 1, 0);
    fd_set readable;
    FD_ZERO(&readable);
    FD_SET(ends[0], &readable);
    struct timeval little = {0, 1000};
    CALL(select, ends[0] + 1, &readable, NULL, NULL, &little);
    show_call("set", false, 0, &readable, sizeof readable);
    FD_SET(ends[0], &readable);
    const uint64_t mask[2] = {(uint64_t)&no_signals, 8};
    struct timespec left = soon;
    CALL(pselect6, ends[0] + 1, &readable, NULL, NULL, &left, mask);
    show_call("set", false, 0, &readable, sizeof readable);
    CALL(select, ends[0] + 1, bad_address, NULL, NULL, &little);
    CALL(select, -1, NULL, NULL, NULL, &little);
  }
  CALL(epoll_wait, epoll, bad_address, 1, 0);
  CALL(epoll_ctl, epoll, EPOLL_CTL_DEL, ends[0], NULL);
  CALL(epoll_ctl, epoll, EPOLL_CTL_DEL, ends[0], NULL);
  CALL(close, epoll);
  uint64_t value = 3;
  OPENS(events, eventfd2, 2, EFD_NONBLOCK);
  CALL(write, events, &value, 8);
  WRITES(&value, 8, read, events, &value, 8);
  CALL(read, events, &value, 8);
  CALL(read, events, &value, 4);
  value = UINT64_MAX;
  CALL(write, events, &value, 8);
  CALL(close, events);
  OPENS(timer, timerfd_create, CLOCK_MONOTONIC, TFD_NONBLOCK);
  const struct itimerspec when = {.it_value = {0, 1000000}}, never = {0};
  struct itimerspec rest;
  CALL(read, timer, &value, 8);
  CALL(timerfd_settime, timer, 0, &when, NULL);
  struct pollfd expiry = {.fd = timer, .events = POLLIN};
  CALL(poll, &expiry, 1, 10000);
  WRITES(&value, 8, read, timer, &value, 8);
  WRITES(&rest, sizeof rest, timerfd_gettime, timer, &rest);
  CALL(timerfd_settime, timer, 0, &never, &rest);
  CALL(timerfd_settime, timer, 0, bad_address, NULL);
  CALL(timerfd_gettime, timer, bad_address);
  CALL(timerfd_gettime, ends[0], &rest);
  CALL(close, timer);
  CALL(close, ends[0]);
  CALL(close, ends[1]);
}

int main(void) {
  enter_scratch();
  signal(SIGPIPE, SIG_IGN);
  const int file = make_file("file", "0123456789abcdefghij");
  go_over_to_agent();
  for (int round = 0; round < AGENT_ROUNDS; round++) {
    read_and_write_file(file);
    use_pipe();
    use_pair();
    use_network();
    ask_what_is_ready();
  }
  return success();
}
