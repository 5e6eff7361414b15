// A connect that is in progress, then done; one that is refused.
#include "guest.h"
#include <netinet/in.h>
#include <poll.h>

int main(void) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  int listener = (int)SYS(socket(AF_INET, SOCK_STREAM, 0));
  SYS(bind(listener, (struct sockaddr*)&address, sizeof address));
  SYS(getsockname(listener, (struct sockaddr*)&address, &length));
  int refused = (int)SYS(socket(AF_INET, SOCK_STREAM, 0));
  FAILS(connect(refused, (struct sockaddr*)&address, sizeof address), ECONNREFUSED);
  SYS(listen(listener, 1));
  int fd = (int)SYS(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
  int result = connect(fd, (struct sockaddr*)&address, sizeof address);
  CHECK(result == 0 || errno == EINPROGRESS);
  struct pollfd p = {fd, POLLOUT, 0};
  CHECK(poll(&p, 1, 2000) == 1);
  int error = -1;
  length = sizeof error;
  SYS(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length));
  CHECK(error == 0);
  connect(fd, (struct sockaddr*)&address, sizeof address);  // collects the success, once
  FAILS(connect(fd, (struct sockaddr*)&address, sizeof address), EISCONN);
  struct sockaddr_in peer;
  length = sizeof peer;
  SYS(getpeername(fd, (struct sockaddr*)&peer, &length));
  CHECK(peer.sin_port == address.sin_port);
  printf("connect %d to port %d\n", result, ntohs(peer.sin_port));
  return success();
}
