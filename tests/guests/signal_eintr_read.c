// Without SA_RESTART a read ends with EINTR.
#include "guest.h"

static volatile sig_atomic_t seen;
static void handler(int signal) { seen = signal; }

int main(void) {
  struct sigaction action = {.sa_flags = 0};
  action.sa_handler = handler;
  SYS(sigaction(SIGALRM, &action, NULL));
  int fds[2];
  SYS(pipe(fds));
  struct itimerval timer = {{0, 0}, {0, 20000}};
  SYS(setitimer(ITIMER_REAL, &timer, NULL));
  char c;
  FAILS(read(fds[0], &c, 1), EINTR);
  CHECK(seen == SIGALRM);
  SYS(setitimer(ITIMER_REAL, &timer, NULL));
  struct iovec {
    void* base;
    size_t length;
  } vector = {&c, 1};
  FAILS(syscall(SYS_readv, fds[0], &vector, 1), EINTR);
  printf("interrupted twice in %d\n", getpid());
  return success();
}
