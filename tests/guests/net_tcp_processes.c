// A forking TCP server with several client processes.
#include "guest.h"
#include <netinet/in.h>

static struct sockaddr_in address = {.sin_family = AF_INET};

static int client(int number) {
  int fd = (int)SYS(socket(AF_INET, SOCK_STREAM, 0));
  SYS(connect(fd, (struct sockaddr*)&address, sizeof address));
  char c = (char)number;
  CHECK(write(fd, &c, 1) == 1);
  pid_t served;
  CHECK(recv(fd, &served, sizeof served, MSG_WAITALL) == sizeof served);
  return served > 0 ? number : 99;
}

int main(void) {
  int listener = (int)SYS(socket(AF_INET, SOCK_STREAM, 0));
  socklen_t length = sizeof address;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  SYS(bind(listener, (struct sockaddr*)&address, sizeof address));
  SYS(listen(listener, 8));
  SYS(getsockname(listener, (struct sockaddr*)&address, &length));
  for (int i = 1; i <= 4; i++)
    if (SYS(fork()) == 0) _exit(client(i));
  int statuses = 0, served = 0;
  for (int i = 0; i < 4; i++) {
    int fd = (int)SYS(accept(listener, NULL, NULL));
    if (SYS(fork()) == 0) {
      char c;
      pid_t self = getpid();
      CHECK(read(fd, &c, 1) == 1);
      CHECK(write(fd, &self, sizeof self) == sizeof self);
      printf("%d served client %d\n", self, c);
      exit(20 + c);
    }
    close(fd);
  }
  for (int i = 0; i < 8; i++) {
    int status;
    SYS(wait(&status));
    WEXITSTATUS(status) > 20 ? (served += WEXITSTATUS(status) - 20) : (statuses += WEXITSTATUS(status));
  }
  CHECK(statuses == 10 && served == 10);
  return success();
}
