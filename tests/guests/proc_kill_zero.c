// kill(0, ...) reaches the program's own group and nothing beyond it.
#include "guest.h"

static volatile sig_atomic_t seen;
static void handler(int signal) { seen = signal; }

int main(void) {
  signal(SIGUSR1, handler);
  SYS(kill(0, SIGUSR1));
  CHECK(seen == SIGUSR1);
  pid_t child = SYS(fork());
  if (child == 0) {
    setpgid(0, 0);
    signal(SIGTERM, SIG_DFL);
    kill(0, SIGTERM);
    _exit(1);
  }
  CHECK(wait_exit(child) == 128 + SIGTERM);
  printf("group %d survived kill(0, %d)\n", getpgrp(), (int)seen);
  return success();
}
