// Two processes bombard each other with signals while both make system calls.
#include "guest.h"

static volatile int received;
static void handler(int signal) { received += signal == SIGUSR1; }

int main(void) {
  struct sigaction action = {.sa_flags = SA_RESTART};
  action.sa_handler = handler;
  SYS(sigaction(SIGUSR1, &action, NULL));
  int fds[2];
  SYS(pipe(fds));
  pid_t parent = getpid(), child = SYS(fork());
  pid_t other = child ? child : parent;
  uint64_t sum = 0;
  for (int i = 0; i < 150; i++) {
    SYS(kill(other, SIGUSR1));
    struct timespec t;
    SYS(clock_gettime(CLOCK_MONOTONIC, &t));
    sum = sum * 31 + (uint64_t)t.tv_nsec + (uint64_t)received;
    if (i % 10 == 0) usleep(200);
  }
  if (child == 0) {
    CHECK(write(fds[1], (const void*)&received, sizeof(int)) == sizeof(int));
    for (;;) pause();
  }
  int theirs;
  CHECK(read(fds[0], &theirs, sizeof theirs) == sizeof theirs);
  SYS(kill(child, SIGTERM));
  CHECK(wait_exit(child) == 128 + SIGTERM);
  printf("received %d and %d, sum %016lx\n", received, theirs, sum);
  CHECK(received > 0 && theirs > 0);
  return success();
}
