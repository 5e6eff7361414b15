// getsockopt and setsockopt: integers, structures, strings, lengths and errors.
#include "guest.h"
#include <netinet/in.h>
#include <netinet/tcp.h>

int main(void) {
  int fd = (int)SYS(socket(AF_INET, SOCK_STREAM, 0)), value = 1, size;
  socklen_t length = sizeof value;
  SYS(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &value, sizeof value));
  SYS(getsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &value, &length));
  CHECK(value == 1 && length == 4);
  size = 30000;
  SYS(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size));
  SYS(getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, &length));
  struct linger linger = {1, 5}, linger_back = {0, 0};
  SYS(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger));
  length = sizeof linger_back;
  SYS(getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger_back, &length));
  CHECK(linger_back.l_linger == 5);
  struct timeval limit = {0, 10000}, limit_back;
  SYS(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
  length = sizeof limit_back;
  SYS(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit_back, &length));
  struct tcp_info info;
  length = sizeof info;
  memset(&info, 0, sizeof info);
  SYS(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length));
  CHECK(info.tcpi_state == 7 /* closed */);
  char congestion[32] = "";
  socklen_t name_length = sizeof congestion;
  SYS(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, congestion, &name_length));
  SYS(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, sizeof value));
  FAILS(getsockopt(fd, SOL_SOCKET, 9999, &value, &length), ENOPROTOOPT);
  FAILS(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &value, 1), EINVAL);
  printf("buffer %d info %u bytes congestion %s timeout %ld\n", size, length, congestion, (long)limit_back.tv_usec);
  return success();
}
