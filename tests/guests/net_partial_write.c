// A non-blocking writer that gets short counts, and a slow reader.
#include "guest.h"
#include <poll.h>
#include <sys/uio.h>

int main(void) {
  int pair[2];
  SYS(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair));
  static char block[1 << 20];
  for (size_t i = 0; i < sizeof block; i++) block[i] = (char)(i % 251);
  pid_t child = SYS(fork());
  if (child == 0) {
    static char part[1 << 16];
    size_t got = 0;
    uint64_t sum = 0;
    while (got < sizeof block) {
      struct pollfd p = {pair[1], POLLIN, 0};
      CHECK(poll(&p, 1, 5000) == 1);
      ssize_t n = SYS(read(pair[1], part, sizeof part));
      for (ssize_t i = 0; i < n; i++) sum += (unsigned char)part[i];
      got += (size_t)n;
    }
    printf("child got %zu sum %lu\n", got, (unsigned long)sum);
    exit(0);
  }
  size_t sent = 0;
  int calls = 0, waits = 0;
  while (sent < sizeof block) {
    struct iovec v[2] = {{block + sent, (sizeof block - sent) / 2}, {block + sent + (sizeof block - sent) / 2, 0}};
    v[1].iov_len = sizeof block - sent - v[0].iov_len;
    ssize_t n = writev(pair[0], v, 2);
    calls++;
    if (n > 0) {
      sent += (size_t)n;
      continue;
    }
    CHECK(errno == EAGAIN);
    struct pollfd p = {pair[0], POLLOUT, 0};
    CHECK(poll(&p, 1, 5000) == 1);
    waits++;
  }
  CHECK(wait_exit(child) == 0);
  printf("%d calls, %d waits\n", calls, waits);
  return success();
}
