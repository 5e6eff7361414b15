// expect: signal=9
// SIGKILL to oneself.
#include "guest.h"

int main(void) {
  printf("pid %d\n", getpid());
  success();
  kill(getpid(), SIGKILL);
  return 1;
}
