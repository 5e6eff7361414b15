// SO_TIMESTAMP and IP_PKTINFO: several control messages with one datagram; MSG_CTRUNC.
#include "guest.h"
#include <netinet/in.h>

int main(void) {
  int a = (int)SYS(socket(AF_INET, SOCK_DGRAM, 0)), on = 1;
  struct sockaddr_in at = {.sin_family = AF_INET}, from;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof at;
  SYS(bind(a, (struct sockaddr*)&at, sizeof at));
  SYS(getsockname(a, (struct sockaddr*)&at, &length));
  SYS(setsockopt(a, SOL_SOCKET, SO_TIMESTAMP, &on, sizeof on));
  SYS(setsockopt(a, IPPROTO_IP, IP_PKTINFO, &on, sizeof on));
  for (int i = 0; i < 2; i++) CHECK(sendto(a, "self", 4, 0, (struct sockaddr*)&at, sizeof at) == 4);
  char text[16], control[256];
  struct iovec vector = {text, sizeof text};
  struct msghdr message = {.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &vector, .msg_iovlen = 1,
                           .msg_control = control, .msg_controllen = sizeof control};
  CHECK(recvmsg(a, &message, 0) == 4);
  int kinds = 0;
  for (struct cmsghdr* h = CMSG_FIRSTHDR(&message); h; h = CMSG_NXTHDR(&message, h)) {
    kinds++;
    if (h->cmsg_type == SO_TIMESTAMP) {
      struct timeval* t = (struct timeval*)CMSG_DATA(h);
      printf("received at %ld.%06ld\n", (long)t->tv_sec, (long)t->tv_usec);
    } else {
      printf("control %d/%d of %zu bytes\n", h->cmsg_level, h->cmsg_type, (size_t)h->cmsg_len);
    }
  }
  CHECK(kinds == 2 && from.sin_port == at.sin_port);
  message.msg_controllen = 8;
  CHECK(recvmsg(a, &message, 0) == 4 && (message.msg_flags & MSG_CTRUNC));
  return success();
}
