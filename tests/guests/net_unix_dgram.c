// Unix datagram and seqpacket sockets keep message borders.
#include "guest.h"
#include <sys/un.h>

int main(void) {
  enter_scratch();
  struct sockaddr_un a = {AF_UNIX, "a"}, b = {AF_UNIX, "b"}, from;
  int x = (int)SYS(socket(AF_UNIX, SOCK_DGRAM, 0)), y = (int)SYS(socket(AF_UNIX, SOCK_DGRAM, 0));
  SYS(bind(x, (struct sockaddr*)&a, sizeof a));
  SYS(bind(y, (struct sockaddr*)&b, sizeof b));
  CHECK(sendto(x, "first", 5, 0, (struct sockaddr*)&b, sizeof b) == 5);
  CHECK(sendto(x, "", 0, 0, (struct sockaddr*)&b, sizeof b) == 0);
  char text[32] = "";
  socklen_t length = sizeof from;
  CHECK(recvfrom(y, text, sizeof text, 0, (struct sockaddr*)&from, &length) == 5);
  CHECK(strcmp(from.sun_path, "a") == 0);
  CHECK(recv(y, text, sizeof text, 0) == 0);
  int pair[2];
  SYS(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair));
  CHECK(send(pair[0], "12345", 5, 0) == 5 && send(pair[0], "67", 2, MSG_EOR) == 2);
  CHECK(recv(pair[1], text, 3, 0) == 3 && recv(pair[1], text, 9, 0) == 2 && memcmp(text, "67", 2) == 0);
  close(pair[0]);
  CHECK(recv(pair[1], text, 9, 0) == 0);
  printf("address length %u\n", length);
  return success();
}
