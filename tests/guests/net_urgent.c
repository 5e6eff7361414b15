// Out-of-band data over TCP, SIGURG, SO_OOBINLINE off, sockatmark.
#include "guest.h"
#include <netinet/in.h>

static volatile sig_atomic_t seen;
static void handler(int signal) { seen = signal; }

int main(void) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  int listener = (int)SYS(socket(AF_INET, SOCK_STREAM, 0)), a = (int)SYS(socket(AF_INET, SOCK_STREAM, 0));
  SYS(bind(listener, (struct sockaddr*)&address, sizeof address));
  SYS(listen(listener, 1));
  SYS(getsockname(listener, (struct sockaddr*)&address, &length));
  SYS(connect(a, (struct sockaddr*)&address, sizeof address));
  int b = (int)SYS(accept(listener, NULL, NULL));
  signal(SIGURG, handler);
  SYS(fcntl(b, F_SETOWN, getpid()));
  CHECK(send(a, "abc", 3, 0) == 3);
  CHECK(send(a, "!", 1, MSG_OOB) == 1);
  while (!seen) usleep(500);
  char text[8] = "";
  CHECK(recv(b, text, 1, MSG_OOB) == 1 && text[0] == '!');
  CHECK(recv(b, text, 8, 0) == 3 && memcmp(text, "abc", 3) == 0);
  printf("urgent over port %d\n", ntohs(address.sin_port));
  return success();
}
