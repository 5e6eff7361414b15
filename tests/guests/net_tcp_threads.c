// A TCP server and its client as threads of one process.
#include "guest.h"
#include <arpa/inet.h>
#include <netinet/in.h>

static int listener;

static void* server(void* unused) {
  for (int i = 0; i < 5; i++) {
    struct sockaddr_in peer;
    socklen_t length = sizeof peer;
    int fd = (int)SYS(accept(listener, (struct sockaddr*)&peer, &length));
    CHECK(length == sizeof peer && peer.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
    char text[64];
    ssize_t n = SYS(recv(fd, text, sizeof text, 0));
    for (ssize_t k = 0; k < n; k++) text[k] ^= 0x20;
    CHECK(send(fd, text, (size_t)n, 0) == n);
    close(fd);
  }
  return unused;
}

int main(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = 0};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  listener = (int)SYS(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  SYS(bind(listener, (struct sockaddr*)&address, sizeof address));
  SYS(listen(listener, 8));
  SYS(getsockname(listener, (struct sockaddr*)&address, &length));
  pthread_t thread;
  OK(pthread_create(&thread, NULL, server, NULL));
  for (int i = 0; i < 5; i++) {
    int fd = (int)SYS(socket(AF_INET, SOCK_STREAM, 0));
    SYS(connect(fd, (struct sockaddr*)&address, sizeof address));
    char text[64] = "";
    CHECK(send(fd, "HELLO", 5, 0) == 5);
    CHECK(recv(fd, text, sizeof text, MSG_WAITALL) == 5 && strcmp(text, "hello") == 0);
    close(fd);
  }
  OK(pthread_join(thread, NULL));
  printf("port %d\n", ntohs(address.sin_port));
  return success();
}
