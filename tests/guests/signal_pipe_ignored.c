// SIGPIPE ignored or caught: the write says EPIPE; MSG_NOSIGNAL needs neither.
#include "guest.h"

static volatile sig_atomic_t seen;
static void handler(int signal) { seen = signal; }

int main(void) {
  int fds[2], pair[2];
  SYS(pipe(fds));
  SYS(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  close(fds[0]);
  close(pair[0]);
  signal(SIGPIPE, SIG_IGN);
  FAILS(write(fds[1], "x", 1), EPIPE);
  signal(SIGPIPE, handler);
  FAILS(write(fds[1], "x", 1), EPIPE);
  CHECK(seen == SIGPIPE);
  seen = 0;
  FAILS(send(pair[1], "x", 1, MSG_NOSIGNAL), EPIPE);
  CHECK(seen == 0);
  FAILS(send(pair[1], "x", 1, 0), EPIPE);
  CHECK(seen == SIGPIPE);
  printf("fds %d %d broken\n", fds[1], pair[1]);
  return success();
}
