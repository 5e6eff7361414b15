// select and pselect: sets, remaining time, masks.
#include "guest.h"
#include <sys/select.h>

static volatile sig_atomic_t seen;
static void handler(int signal) { seen = signal; }

int main(void) {
  int a[2], b[2];
  SYS(pipe(a));
  SYS(pipe(b));
  CHECK(dup2(b[0], 200) == 200);
  fd_set readable, writable;
  FD_ZERO(&readable);
  FD_ZERO(&writable);
  FD_SET(a[0], &readable);
  FD_SET(200, &readable);
  FD_SET(a[1], &writable);
  CHECK(write(b[1], "x", 1) == 1);
  struct timeval limit = {3, 0};
  CHECK(select(201, &readable, &writable, NULL, &limit) == 2);
  CHECK(!FD_ISSET(a[0], &readable) && FD_ISSET(200, &readable) && FD_ISSET(a[1], &writable));
  CHECK(limit.tv_sec >= 2);
  limit = (struct timeval){0, 5000};
  CHECK(select(0, NULL, NULL, NULL, &limit) == 0);
  signal(SIGUSR1, handler);
  sigset_t block, open;
  sigemptyset(&block);
  sigemptyset(&open);
  sigaddset(&block, SIGUSR1);
  SYS(sigprocmask(SIG_BLOCK, &block, NULL));
  raise(SIGUSR1);
  struct timespec t = {5, 0};
  FD_ZERO(&readable);
  FD_SET(a[0], &readable);
  FAILS(pselect(a[0] + 1, &readable, NULL, NULL, &t, &open), EINTR);
  CHECK(seen == SIGUSR1);
  FAILS(select(-1, NULL, NULL, NULL, &limit), EINVAL);
  printf("descriptors %d %d, %ld us left\n", a[0], b[0], (long)limit.tv_usec);
  return success();
}
