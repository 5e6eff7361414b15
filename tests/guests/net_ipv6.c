// TCP over IPv6 loopback, where there is one.
#include "guest.h"
#include <netinet/in.h>

int main(void) {
  int listener = socket(AF_INET6, SOCK_STREAM, 0);
  struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  if (listener < 0 || bind(listener, (struct sockaddr*)&address, sizeof address) != 0) {
    printf("no IPv6: errno %d\n", errno);
    return success();
  }
  socklen_t length = sizeof address;
  SYS(listen(listener, 1));
  SYS(getsockname(listener, (struct sockaddr*)&address, &length));
  int a = (int)SYS(socket(AF_INET6, SOCK_STREAM, 0));
  SYS(connect(a, (struct sockaddr*)&address, sizeof address));
  struct sockaddr_in6 peer;
  length = sizeof peer;
  int b = (int)SYS(accept(listener, (struct sockaddr*)&peer, &length));
  CHECK(length == sizeof peer && IN6_IS_ADDR_LOOPBACK(&peer.sin6_addr));
  CHECK(write(a, "six", 3) == 3);
  char text[4] = "";
  CHECK(read(b, text, 3) == 3);
  printf("%s from port %d\n", text, ntohs(peer.sin6_port));
  return success();
}
