// accept4 flags; a connection that comes while poll waits.
#include "guest.h"
#include <netinet/in.h>
#include <poll.h>

static struct sockaddr_in address = {.sin_family = AF_INET};

static void* client(void* unused) {
  sleep_ms(10);
  int fd = (int)SYS(socket(AF_INET, SOCK_STREAM, 0));
  SYS(connect(fd, (struct sockaddr*)&address, sizeof address));
  sleep_ms(10);
  close(fd);
  return unused;
}

int main(void) {
  int listener = (int)SYS(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
  socklen_t length = sizeof address;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  SYS(bind(listener, (struct sockaddr*)&address, sizeof address));
  SYS(listen(listener, 2));
  SYS(getsockname(listener, (struct sockaddr*)&address, &length));
  FAILS(accept4(listener, NULL, NULL, 0), EAGAIN);
  pthread_t thread;
  OK(pthread_create(&thread, NULL, client, NULL));
  struct pollfd p = {listener, POLLIN, 0};
  CHECK(poll(&p, 1, 5000) == 1);
  struct sockaddr_in peer;
  length = sizeof peer;
  int fd = (int)SYS(accept4(listener, (struct sockaddr*)&peer, &length, SOCK_NONBLOCK | SOCK_CLOEXEC));
  CHECK((fcntl(fd, F_GETFL) & O_NONBLOCK) && fcntl(fd, F_GETFD) == FD_CLOEXEC);
  p.fd = fd;
  CHECK(poll(&p, 1, 5000) == 1);
  char c;
  CHECK(read(fd, &c, 1) == 0);
  OK(pthread_join(thread, NULL));
  printf("client port %d\n", ntohs(peer.sin_port));
  return success();
}
