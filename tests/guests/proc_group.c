// Process groups: two children in one group, signalled and awaited together.
#include "guest.h"

int main(void) {
  pid_t first = SYS(fork());
  if (first == 0) {
    setpgid(0, 0);
    for (;;) pause();
  }
  setpgid(first, first);
  pid_t second = SYS(fork());
  if (second == 0) {
    setpgid(0, first);
    for (;;) pause();
  }
  setpgid(second, first);
  CHECK(getpgid(first) == first && getpgid(second) == first && getpgrp() != first);
  SYS(kill(-first, SIGTERM));
  int died = 0, status;
  while (waitpid(-first, &status, 0) > 0) {
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    died++;
  }
  CHECK(died == 2);
  printf("group %d: %d and %d died\n", first, first, second);
  FAILS(kill(-first, 0), ESRCH);
  return success();
}
