// SO_RCVTIMEO and SO_SNDTIMEO: receive and send give up by themselves.
#include "guest.h"

int main(void) {
  int pair[2];
  SYS(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  struct timeval limit = {0, 10000};
  SYS(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
  SYS(setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit));
  char block[8192];
  FAILS(recv(pair[0], block, 1, 0), EAGAIN);
  memset(block, 's', sizeof block);
  long sent = 0;
  for (ssize_t n; (n = send(pair[0], block, sizeof block, 0)) > 0;) sent += n;
  CHECK(errno == EAGAIN && sent > 8192);
  printf("sent %ld before giving up\n", sent);
  return success();
}
