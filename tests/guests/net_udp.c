// UDP: sendto, recvfrom, connected sockets, truncation, refusal.
#include "guest.h"
#include <arpa/inet.h>
#include <netinet/in.h>

int main(void) {
  int a = (int)SYS(socket(AF_INET, SOCK_DGRAM, 0)), b = (int)SYS(socket(AF_INET, SOCK_DGRAM, 0));
  struct sockaddr_in at = {.sin_family = AF_INET}, from;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof at;
  SYS(bind(a, (struct sockaddr*)&at, sizeof at));
  SYS(getsockname(a, (struct sockaddr*)&at, &length));
  char text[64] = "";
  CHECK(sendto(b, "one packet", 10, 0, (struct sockaddr*)&at, sizeof at) == 10);
  length = sizeof from;
  CHECK(recvfrom(a, text, sizeof text, 0, (struct sockaddr*)&from, &length) == 10);
  CHECK(strcmp(text, "one packet") == 0);
  SYS(connect(a, (struct sockaddr*)&from, sizeof from));
  CHECK(send(a, "the answer", 10, 0) == 10);
  CHECK(recv(b, text, 3, MSG_TRUNC) == 10 && memcmp(text, "the", 3) == 0);
  FAILS(recv(b, text, 3, MSG_DONTWAIT), EAGAIN);
  close(b);
  CHECK(send(a, "x", 1, 0) == 1);
  sleep_ms(5);
  FAILS(send(a, "x", 1, 0), ECONNREFUSED);
  printf("ports %d and %d\n", ntohs(at.sin_port), ntohs(from.sin_port));
  return success();
}
