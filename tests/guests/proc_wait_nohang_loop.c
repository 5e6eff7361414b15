// A parent that polls with WNOHANG instead of blocking.
#include "guest.h"
#include <sched.h>

int main(void) {
  pid_t child = SYS(fork());
  if (child == 0) {
    sleep_ms(20);
    _exit(31);
  }
  int status = 0, rounds = 0;
  while (SYS(waitpid(child, &status, WNOHANG)) == 0) {
    rounds++;
    usleep(500);
  }
  CHECK(WEXITSTATUS(status) == 31);
  printf("child %d ended after %d rounds\n", child, rounds);
  return success();
}
