// expect: signal=15
// SIGTERM from a child.
#include "guest.h"

int main(void) {
  signal(SIGTERM, SIG_DFL);
  pid_t child = SYS(fork());
  if (child == 0) {
    sleep_ms(20);
    kill(getppid(), SIGTERM);
    _exit(0);
  }
  printf("pid %d awaits %d\n", getpid(), child);
  success();
  for (;;) pause();
}
