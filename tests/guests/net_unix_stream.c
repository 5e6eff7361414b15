// Unix stream sockets by path and by abstract name.
#include "guest.h"
#include <stddef.h>
#include <sys/un.h>

static void talk(struct sockaddr_un* address, socklen_t length) {
  int listener = (int)SYS(socket(AF_UNIX, SOCK_STREAM, 0));
  SYS(bind(listener, (struct sockaddr*)address, length));
  SYS(listen(listener, 2));
  pid_t child = SYS(fork());
  if (child == 0) {
    int fd = (int)SYS(socket(AF_UNIX, SOCK_STREAM, 0));
    SYS(connect(fd, (struct sockaddr*)address, length));
    dprintf(fd, "client %d", getpid());
    _exit(0);
  }
  struct sockaddr_un peer;
  socklen_t size = sizeof peer;
  int fd = (int)SYS(accept(listener, (struct sockaddr*)&peer, &size));
  char text[64] = "";
  SYS(recv(fd, text, sizeof text, MSG_WAITALL));
  struct ucred credentials;
  socklen_t credentials_size = sizeof credentials;
  SYS(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &credentials_size));
  CHECK(credentials.pid == child && credentials.uid == getuid());
  size = sizeof peer;
  SYS(getsockname(fd, (struct sockaddr*)&peer, &size));
  CHECK(size == length);
  CHECK(wait_exit(child) == 0);
  printf("%s, peer %d, address of %u bytes\n", text, credentials.pid, size);
  close(fd);
  close(listener);
}

int main(void) {
  enter_scratch();
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strcpy(address.sun_path, "socket");
  talk(&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 7));
  int n = snprintf(address.sun_path + 1, 60, "guest-%d", getpid());
  address.sun_path[0] = 0;
  talk(&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n));
  return success();
}
